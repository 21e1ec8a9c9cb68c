import type { Receiver, Sender } from 'rhea';
import { notImplemented } from '../../../amqp/conditions.ts';
import type { AmqpError, AmqpNode, OpenedLink } from '../../../amqp/index.ts';
import { notHere } from '../../../errors.ts';
import { type Address, addressKey, addressReadings } from '../../model/address.ts';
import { readHubName } from '../../model/host-name.ts';
import { hubNotFound } from '../hub-access.ts';
import type { HubConnection, HubLinks } from '../hub-service.ts';
import { ConnectedDevice, type DeviceNode } from './connected-device.ts';

/** The device sends the model that it implements with a link (azure-iot-sdk-csharp, AmqpIotConstants.cs). */
const MODEL_ID = 'com.microsoft:model-id';

/** The addresses of a device or module, after its own path, in lower case. */
const NODES: ReadonlyMap<string, DeviceNode | 'streams'> = new Map([
  ['messages/events', 'telemetry'],
  ['messages/devicebound', 'cloudMessages'],
  ['twin', 'twin'],
  ['methods/devicebound', 'methods'],
  ['streams', 'streams'],
]);

/**
 * The links of devices and modules: telemetry, cloud-to-device messages, twins and direct methods
 * (iot-hub-amqp-support.md, and the device SDKs).
 */
export function openDeviceLinks({ client, access }: HubConnection): HubLinks {
  const devices = new Map<string, ConnectedDevice>();

  /** The device on this connection, connected by its first link; or the refusal. */
  function deviceFor(address: Address): ConnectedDevice | AmqpError {
    const { host } = client;
    if (host !== undefined && readHubName(host).kind === 'service') {
      return hubNotFound(host);
    }
    const proof = access.device(address, host, client.certificates());
    if ('condition' in proof) return proof;
    const key = addressKey(address);
    const connected = devices.get(key);
    if (connected !== undefined) return connected;
    const device = new ConnectedDevice(proof.hub, address, client, proof.expires, (isEnded) => {
      devices.delete(key);
      // As over MQTT, the hub ends the connection with the device, if no other device uses it.
      const isLast = isEnded && devices.size === 0;
      if (isLast) client.end();
      return isLast;
    });
    devices.set(key, device);
    return device;
  }

  /** The reading of the ids of an address for which the client has a proof, else the first. */
  function addressAmong(readings: readonly Address[]): Address | undefined {
    const hasProof = (each: Address) =>
      !('condition' in access.device(each, client.host, client.certificates()));
    return readings.find(hasProof) ?? readings[0];
  }

  function nodeOf(readings: readonly Address[], node: DeviceNode): AmqpNode {
    const open = <L extends Sender | Receiver>(
      { link, whenClosed }: OpenedLink<L>,
      start: (device: ConnectedDevice) => void,
    ): AmqpError | undefined => {
      const address = addressAmong(readings);
      if (address === undefined) return undefined;
      const device = deviceFor(address);
      if (!(device instanceof ConnectedDevice)) return device;
      keepModel(address, link);
      start(device);
      whenClosed(() => device.closed(link));
      return undefined;
    };
    const toHub: AmqpNode['openReceiver'] = (opened) =>
      open(opened, (device) => device.openReceiver(node, opened.link));
    const toDevice: AmqpNode['openSender'] = (opened) =>
      open(opened, (device) => device.openSender(node, opened.link));
    switch (node) {
      case 'telemetry':
        // Modules wait here for the messages to their inputs (azure-iot-sdk-csharp). A hub sends none.
        return { openReceiver: toHub, ...(readings[0]?.moduleId !== undefined && { openSender: toDevice }) };
      case 'cloudMessages':
        return { openSender: toDevice };
      default:
        return { openReceiver: toHub, openSender: toDevice };
    }
  }

  function keepModel(address: Address, link: Sender | Receiver): void {
    const modelId = (link.properties as Readonly<Record<string, unknown>> | undefined)?.[MODEL_ID];
    const proof = access.device(address, client.host, client.certificates());
    if (typeof modelId !== 'string' || 'condition' in proof) return;
    const entry = proof.hub.store.get(address);
    if (entry !== undefined && entry.modelId !== modelId) proof.hub.store.put({ ...entry, modelId });
  }

  return {
    node([collection, , ...rest], [, deviceId, , moduleId]) {
      if (collection?.toLowerCase() !== 'devices' || deviceId === undefined) return undefined;
      const isOfModule = rest[0]?.toLowerCase() === 'modules';
      const node = NODES.get(
        rest
          .slice(isOfModule ? 2 : 0)
          .join('/')
          .toLowerCase(),
      );
      if (node === undefined) return undefined;
      if (node === 'streams') return ABSENT_STREAMS;
      return nodeOf(addressReadings(deviceId, isOfModule ? moduleId : undefined), node);
    },
    authorized: (address, expires) => devices.get(addressKey(address))?.renew(expires),
  };
}

const refuseStreams = () => notImplemented(notHere('Device streams are not in the local hub.'));
const ABSENT_STREAMS: AmqpNode = { openReceiver: refuseStreams, openSender: refuseStreams };
