import { CONNECT_REFUSED, type MqttConnect, type MqttService } from '../../mqtt/index.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { AccessPolicy } from '../model/access-policy.ts';
import { type Address, addressKey } from '../model/address.ts';
import { readHubName } from '../model/host-name.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { parseSharedAccessSignature, resourcesOf } from '../service-api/shared-access-signature.ts';
import { authenticateDevice, type DeviceUserName, parseDeviceUserName } from './device-authentication.ts';
import { openDeviceSession } from './device-session.ts';
import { parseDeviceTopic } from './device-topics.ts';

/** This machine, in the place of a hub: the SDK for C# writes `GatewayHostName` into the user name, as for an Edge gateway. */
const GATEWAY = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/**
 * The device API of all local hubs over MQTT. The user name selects the hub. If it names the gateway, the token of the device
 * does, or else the first hub that accepts its certificate.
 *
 * @param all every hub.
 */
export function createDeviceService(
  hubOf: (host: string) => LocalHub | undefined,
  policies: readonly AccessPolicy[],
  all: readonly LocalHub[],
): MqttService {
  // Devices cannot connect to a service name.
  const hubNamed = (host: string) => (readHubName(host).kind === 'service' ? undefined : hubOf(host));
  const behindGateway = (name: DeviceUserName, { password, certificates }: MqttConnect) => {
    const token = parseSharedAccessSignature(password ?? '');
    if (token !== undefined) {
      const hosts = resourcesOf(token).map((resource) => resource.split('/')[0] ?? '');
      return hosts.map((host) => ({ host, hub: hubNamed(host) })).find(({ hub }) => hub !== undefined);
    }
    const hub = all.find((each) =>
      authenticateDevice(each, name.address, { host: each.host, password, certificates }, []),
    );
    return hub && { host: hub.host, hub };
  };
  return {
    claims(userName) {
      const host = parseDeviceUserName(userName)?.host;
      return host !== undefined && (GATEWAY.test(host) || hubNamed(host) !== undefined);
    },
    async connect(request) {
      const name = parseDeviceUserName(request.userName);
      if (name === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      const called = GATEWAY.test(name.host)
        ? behindGateway(name, request)
        : { host: name.host, hub: hubNamed(name.host) };
      const hub = called?.hub;
      if (called === undefined || hub === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
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
      const evidence = { ...request, host: called.host };
      const proof = authenticateDevice(hub, name.address, evidence, policies);
      const entry = hub.store.get(name.address);
      if (entry === undefined || proof === undefined) return { refused: CONNECT_REFUSED.notAuthorized };
      if (name.modelId !== undefined && name.modelId !== entry.modelId) {
        hub.store.put({ ...entry, modelId: name.modelId });
      }
      return openDeviceSession(hub, {
        address: name.address,
        apiVersion: name.apiVersion,
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
