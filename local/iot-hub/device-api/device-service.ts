import { CONNECT_REFUSED, type MqttService } from '../../mqtt/index.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { AccessPolicy } from '../model/access-policy.ts';
import { type Address, addressKey } from '../model/address.ts';
import { readHubName } from '../model/host-name.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { authenticateDevice, parseDeviceUserName } from './device-authentication.ts';
import { openDeviceSession } from './device-session.ts';
import { parseDeviceTopic } from './device-topics.ts';

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
      // The answer of Azure is not documented.
      if (request.will !== undefined && !isTelemetryTopic(request.will.topic, name.address))
        return { refused: CONNECT_REFUSED.notAuthorized };
      try {
        await hub.admit('connections');
      } catch (error) {
        if (!(error instanceof HubRefusal)) throw error;
        hub.counters.deviceThrottled += 1;
        return { refused: CONNECT_REFUSED.unavailable };
      }
      const evidence = { ...request, host: name.host };
      const proof = authenticateDevice(hub, name.address, evidence, policies);
      const entry = hub.store.get(name.address);
      if (entry === undefined || proof === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      if (name.modelId !== undefined && name.modelId !== entry.modelId) {
        hub.store.put({ ...entry, modelId: name.modelId });
      }
      return openDeviceSession(hub, {
        address: name.address,
        cleanSession: request.cleanSession,
        expires: proof.expires,
        will: request.will,
      });
    },
  };
}

function isTelemetryTopic(topic: string, address: Address): boolean {
  return parseDeviceTopic(topic, address)?.kind === 'telemetry';
}
