import { CONNECT_REFUSED, type MqttService } from '../mqtt/index.ts';
import { authenticateDevice, parseDeviceUserName } from './device-authentication.ts';
import { openDeviceSession } from './device-session.ts';
import type { Hub } from './hub.ts';
import { HubError } from './hub-error.ts';

/** The device API of all local hubs over MQTT: the user name says which hub a device means. */
export function createDeviceService(hubOf: (host: string) => Hub | undefined): MqttService {
  const hubFor = (userName: string): Hub | undefined => {
    const name = parseDeviceUserName(userName);
    return name && hubOf(name.host);
  };
  return {
    claims: (userName) => hubFor(userName) !== undefined,
    async connect(request) {
      const name = parseDeviceUserName(request.userName);
      const hub = hubFor(request.userName);
      if (name === undefined || hub === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      if (request.clientId !== name.deviceId) return { refused: CONNECT_REFUSED.identifier };
      try {
        await hub.admit('connections');
      } catch (error) {
        if (!(error instanceof HubError)) throw error;
        hub.counters.deviceThrottled += 1;
        return { refused: CONNECT_REFUSED.unavailable };
      }
      const device = hub.store.get(name.deviceId);
      const proof = device && authenticateDevice(hub.host, device.identity, request, hub.now());
      if (device === undefined || proof === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      if (name.modelId !== undefined && name.modelId !== device.modelId) {
        hub.store.put({ ...device, modelId: name.modelId });
      }
      return openDeviceSession(hub, {
        deviceId: name.deviceId,
        cleanSession: request.cleanSession,
        expires: proof.expires,
      });
    },
  };
}
