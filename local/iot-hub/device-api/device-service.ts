import { CONNECT_REFUSED, type MqttService } from '../../mqtt/index.ts';
import { isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import type { AccessPolicy } from '../model/access-policy.ts';
import { addressKey } from '../model/address.ts';
import { readHubName } from '../model/host-name.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { authenticateDevice, parseDeviceUserName } from './device-authentication.ts';
import { openDeviceSession } from './device-session.ts';

/** The device API of all local hubs over MQTT. The user name selects the hub. */
export function createDeviceService(
  hubOf: (host: string) => LocalHub | undefined,
  policies: readonly AccessPolicy[],
): MqttService {
  const hubFor = (userName: string): LocalHub | undefined => {
    const name = parseDeviceUserName(userName);
    // Devices cannot connect to a service name.
    return name && readHubName(name.host).kind !== 'service' ? hubOf(name.host) : undefined;
  };
  return {
    claims: (userName) => hubFor(userName) !== undefined,
    async connect(request) {
      const name = parseDeviceUserName(request.userName);
      const hub = hubFor(request.userName);
      if (name === undefined || hub === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      if (request.clientId !== addressKey(name.address)) return { refused: CONNECT_REFUSED.identifier };
      try {
        await hub.admit('connections');
      } catch (error) {
        if (!(error instanceof HubRefusal)) throw error;
        hub.counters.deviceThrottled += 1;
        return { refused: CONNECT_REFUSED.unavailable };
      }
      const entry = isDeviceDisabled(hub, name.address) ? undefined : hub.store.get(name.address);
      const device = hub.store.get({ deviceId: name.address.deviceId })?.identity;
      const proof =
        entry && authenticateDevice(name.host, entry.identity, request, policies, hub.now(), device);
      if (entry === undefined || proof === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      if (name.modelId !== undefined && name.modelId !== entry.modelId) {
        hub.store.put({ ...entry, modelId: name.modelId });
      }
      return openDeviceSession(hub, {
        address: name.address,
        cleanSession: request.cleanSession,
        expires: proof.expires,
      });
    },
  };
}
