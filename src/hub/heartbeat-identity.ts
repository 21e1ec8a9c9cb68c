import { randomBytes } from 'node:crypto';
import { HEARTBEAT_DEVICE } from '../iot-hub/heartbeat-device.ts';
import { ownMember } from '../json/json.ts';
import { openRestService, type RestEndpoint } from '../rest/service.ts';
import { hubErrorOf } from './failure.ts';
import { HUB_DEADLINE_MS } from './port.ts';

/** What `prepareHeartbeat` found or did. */
export type PreparedHeartbeat = 'created' | 'exists' | 'disabled';

const PATH = `/devices/${HEARTBEAT_DEVICE}?api-version=2021-04-12`;
/** A symmetric key has 16 to 64 bytes (REST API of IoT Hub, "Create or update identity"). */
const KEY_BYTES = 32;

/**
 * Creates the identity of the heartbeat on a hub, if the hub does not have it. It is enabled, because a hub answers 404 for the twin
 * of a disabled device. Its keys are random and not kept, so nothing can connect with it. An identity that is there is not changed.
 *
 * @throws HubError if the hub refuses or does not answer
 */
export async function prepareHeartbeat(endpoint: RestEndpoint): Promise<PreparedHeartbeat> {
  const service = openRestService(endpoint, HUB_DEADLINE_MS);
  try {
    const found = await service.call({ method: 'GET', path: PATH, headers: {} });
    if (found.ok) return ownMember(found.answer.json, 'status') === 'disabled' ? 'disabled' : 'exists';
    const failure = hubErrorOf(found.failure);
    if (failure.code !== 'BERTH_HUB_NOT_FOUND') throw failure;
    const key = () => randomBytes(KEY_BYTES).toString('base64');
    const created = await service.call({
      method: 'PUT',
      path: PATH,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: {
        deviceId: HEARTBEAT_DEVICE,
        status: 'enabled',
        authentication: { type: 'sas', symmetricKey: { primaryKey: key(), secondaryKey: key() } },
      },
    });
    if (created.ok) return 'created';
    const refused = hubErrorOf(created.failure);
    // Another writer has created it in between.
    if (refused.status === 409) return 'exists';
    throw refused;
  } finally {
    await service.close();
  }
}
