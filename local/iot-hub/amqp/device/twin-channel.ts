import rhea, { type Receiver, type Sender } from 'rhea';
import type { JsonValue } from '../../../../src/json/json.ts';
import { undecodable } from '../../../amqp/conditions.ts';
import { MalformedMessageError } from '../../../amqp/encoding.ts';
import { type AmqpClient, type AmqpError, Outbox, openInbox } from '../../../amqp/index.ts';
import { type DecodedMessage, decodeMessage } from '../../../amqp/message.ts';
import { countRefusal, readOwnTwin, report } from '../../device-api/device-requests.ts';
import type { LocalHub } from '../../hub/hub.ts';
import type { Address } from '../../model/address.ts';
import { errorDocument, HubRefusal } from '../../model/hub-error.ts';
import { type HubTwinSection, sectionForDevice } from '../../model/twin.ts';

/** A request has at most the bytes of a reported section (32 KB) in JSON. Larger ones are refused by the twin. */
const MAX_REQUEST_BYTES = 256 * 1024;
/** Links with the same value of this property belong together (azure-iot-device-amqp, amqp_twin_client.js). */
const CHANNEL = 'com.microsoft:channel-correlation-id';

const REPORTED = '/properties/reported';
const DESIRED_NOTIFICATIONS = '/notifications/twin/properties/desired';

/** The answer to a request: its status, and what it holds. */
interface TwinResponse {
  readonly status: number;
  readonly version?: number;
  readonly body?: JsonValue;
}

/**
 * The twin of one device or module over AMQP: requests on one link, answers and notifications on another. Message annotations
 * name the operation and the resource, and in answers the status and the version (azure-iot-device-amqp,
 * Microsoft.Azure.Devices.Client).
 */
export class TwinChannel {
  readonly #hub: LocalHub;
  readonly #address: Address;
  readonly #outboxes = new Map<Sender, Outbox>();
  /** The links that get notifications of changes of the desired properties. */
  readonly #subscribed = new Set<Sender>();

  constructor(hub: LocalHub, address: Address) {
    this.#hub = hub;
    this.#address = address;
  }

  openRequests(client: AmqpClient, receiver: Receiver): void {
    const take = async (bytes: Buffer): Promise<AmqpError | undefined> => {
      try {
        const request = decodeMessage(bytes);
        // The request is settled before it is answered.
        setImmediate(() => void this.#answer(client, receiver, request));
        return undefined;
      } catch (error) {
        if (error instanceof MalformedMessageError) return undecodable(error.message);
        throw error;
      }
    };
    openInbox({ client, receiver, maxMessageSize: MAX_REQUEST_BYTES, take });
  }

  openResponses(sender: Sender): void {
    this.#outboxes.set(sender, new Outbox(sender));
  }

  close(sender: Sender): void {
    this.#outboxes.delete(sender);
    this.#subscribed.delete(sender);
  }

  /** Returns whether the device is subscribed to notifications. */
  notify(patch: HubTwinSection): boolean {
    for (const sender of this.#subscribed) {
      this.#outboxes.get(sender)?.send({
        message: encode({ body: sectionForDevice(patch), version: patch.version }, undefined),
      });
    }
    return this.#subscribed.size > 0;
  }

  async #answer(client: AmqpClient, receiver: Receiver, request: DecodedMessage): Promise<void> {
    try {
      const sender = this.#responsesOf(receiver);
      const response = await this.#perform(request, sender);
      const outbox = sender && this.#outboxes.get(sender);
      outbox?.send({ message: encode(response, request.ids.correlationId) });
    } catch (error) {
      client.drop(String(error));
    }
  }

  async #perform(request: DecodedMessage, sender: Sender | undefined): Promise<TwinResponse> {
    const { operation, resource = '' } = request.annotations;
    const hub = this.#hub;
    try {
      switch (`${operation} ${resource}`) {
        case 'GET ':
          return { status: 200, body: await readOwnTwin(hub, this.#address) };
        case `PATCH ${REPORTED}`:
          return { status: 200, version: await report(hub, this.#address, Buffer.concat(request.data)) };
        case `PUT ${DESIRED_NOTIFICATIONS}`:
          if (sender !== undefined) this.#subscribed.add(sender);
          return { status: 200 };
        case `DELETE ${DESIRED_NOTIFICATIONS}`:
          if (sender !== undefined) this.#subscribed.delete(sender);
          return { status: 200 };
        default:
          throw new HubRefusal('ArgumentInvalid', `Unknown twin operation '${operation} ${resource}'.`);
      }
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      countRefusal(hub, error);
      return { status: error.status, body: errorDocument(error, hub.now()) };
    }
  }

  /** The link for the answers to requests of a link: that of the same channel, else the newest. */
  #responsesOf(receiver: Receiver): Sender | undefined {
    const senders = [...this.#outboxes.keys()];
    const channel = channelOf(receiver);
    return senders.find((sender) => channel !== undefined && channelOf(sender) === channel) ?? senders.at(-1);
  }
}

function channelOf(link: Sender | Receiver): unknown {
  return (link.properties as Readonly<Record<string, unknown>> | undefined)?.[CHANNEL];
}

/** The types must not change: the SDK for .NET casts the status to `int` and the version to `long`. */
function encode({ status, version, body }: Partial<TwinResponse>, correlationId: unknown): Buffer {
  const { types } = rhea;
  const text = body === undefined ? '' : JSON.stringify(body);
  return rhea.message.encode({
    correlation_id: correlationId,
    message_annotations: {
      ...(status !== undefined && { status: types.wrap_int(status) }),
      ...(version !== undefined && { version: types.wrap_long(version) }),
    },
    body: rhea.message.data_section(Buffer.from(text)),
  } as unknown as Parameters<typeof rhea.message.encode>[0]);
}
