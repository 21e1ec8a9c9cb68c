import type { Sender } from 'rhea';
import {
  type AmqpClient,
  type AmqpError,
  type AmqpNode,
  amqpError,
  type OpenedLink,
  openInbox,
} from '../../amqp/index.ts';
import { notHere } from '../../errors.ts';
import { ConnectionDropped } from '../../https/exchange.ts';
import type { HubFaults } from '../faults/hub-faults.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { ServiceQueue } from '../hub/service-queue.ts';
import { type Address, addressReadings } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { sendCloudMessage } from '../operations/cloud-messages.ts';
import { readSentMessage } from './cloud-message.ts';
import { conditionOf } from './hub-access.ts';
import type { HubConnection, HubLinks, OpenHubLinks } from './hub-service.ts';
import { serveQueue } from './service-receiver.ts';

/** Largest encoded message on the link: 64 KB with its properties, and what AMQP adds. */
const MAX_MESSAGE_BYTES = 128 * 1024;

/** The faults of a hub that apply to services over AMQP. */
export type ServiceFaults = Pick<HubFaults, 'call' | 'refuseLink'>;

/** The queues that services receive from, by their addresses in lower case. */
const QUEUES: Readonly<
  Record<string, { readonly contentType: string; readonly queueOf: (hub: LocalHub) => ServiceQueue }>
> = {
  'messages/servicebound/feedback': {
    contentType: 'application/vnd.microsoft.iothub.feedback.json',
    queueOf: (hub) => hub.feedback,
  },
  'messages/servicebound/filenotifications': {
    contentType: 'application/vnd.microsoft.iothub.filenotification.json',
    queueOf: (hub) => hub.fileNotifications,
  },
};

/**
 * The links of services: cloud-to-device messages, feedback and file notifications (iot-hub-amqp-support.md,
 * "Service client"). They need the right ServiceConnect. The faults of the hub apply to them.
 */
export function openServiceLinks(faultsOf: (hub: LocalHub) => ServiceFaults): OpenHubLinks {
  return (connection) => serviceLinks(connection, faultsOf);
}

function serviceLinks(
  { client, access }: HubConnection,
  faultsOf: (hub: LocalHub) => ServiceFaults,
): HubLinks {
  const send = (path: string): AmqpNode => ({
    openReceiver({ link: receiver }) {
      const hub = access.service('ServiceConnect', path);
      if (!isHub(hub)) return hub;
      openInbox({
        client,
        receiver,
        maxMessageSize: MAX_MESSAGE_BYTES,
        take: (message) =>
          takeMessage(hub, client, () => faultsOf(hub).call(hub, `SEND ${path}`, () => sendTo(hub, message))),
      });
      return undefined;
    },
  });
  const receive = (path: string, { contentType, queueOf }: (typeof QUEUES)[string]): AmqpNode => ({
    openSender(link: OpenedLink<Sender>) {
      const hub = access.service('ServiceConnect', path);
      if (!isHub(hub)) return hub;
      const refusal = faultsOf(hub).refuseLink(hub);
      if (refusal !== undefined) return conditionOf(refusal);
      serveQueue(link, queueOf(hub), { contentType, userId: hub.name });
      return undefined;
    },
  });
  return {
    node(segments) {
      const name = segments.join('/').toLowerCase();
      if (name === 'messages/devicebound') return send(`/${segments.join('/')}`);
      const queue = Object.hasOwn(QUEUES, name) ? QUEUES[name] : undefined;
      return queue && receive(`/${segments.join('/')}`, queue);
    },
  };
}

function isHub(hub: LocalHub | AmqpError): hub is LocalHub {
  return 'store' in hub;
}

/** @throws HubRefusal */
async function sendTo(hub: LocalHub, encoded: Buffer): Promise<void> {
  const { to, message } = readSentMessage(encoded);
  const readings = addressesIn(to);
  const address = readings.find((each) => hub.store.get(each) !== undefined) ??
    readings[0] ?? { deviceId: '' };
  if (address.moduleId !== undefined) {
    throw new HubRefusal(
      'NotInLocalHub',
      notHere('Messages of services to modules are not in the local hub.'),
    );
  }
  await sendCloudMessage(hub, address, message);
}

async function takeMessage(
  hub: LocalHub,
  client: AmqpClient,
  send: () => Promise<void>,
): Promise<AmqpError | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    if (error instanceof ConnectionDropped) {
      client.stream.destroy();
      return undefined;
    }
    if (error instanceof HubRefusal) return conditionOf(error);
    if (hub.closing.aborted) return amqpError('amqp:internal-error', 'The hub closes.');
    throw error;
  }
}

/** The addresses that the property `to` can mean. @example '/devices/dev-1/messages/devicebound' → [{ deviceId: 'dev-1' }] */
function addressesIn(to: string): readonly Address[] {
  const match =
    /^\/?devices\/([^/]+)(?:\/modules\/([^/]+))?\/messages\/devicebound\/?$/i.exec(to) ?? undefined;
  if (match === undefined) {
    throw new HubRefusal('InvalidOperation', 'Amqp Message.Properties.To must contain the device identifier');
  }
  const [, deviceId = '', moduleId] = match;
  return addressReadings(deviceId, moduleId);
}
