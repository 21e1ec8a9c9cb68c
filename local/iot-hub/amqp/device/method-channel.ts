import rhea, { type Receiver, type Sender } from 'rhea';
import { undecodable } from '../../../amqp/conditions.ts';
import { MalformedMessageError } from '../../../amqp/encoding.ts';
import { type AmqpClient, Outbox, openInbox } from '../../../amqp/index.ts';
import { decodeMessage, idText } from '../../../amqp/message.ts';
import type { LocalHub } from '../../hub/hub.ts';
import type { Address } from '../../model/address.ts';

/** Application properties of calls and answers (azure-iot-device-amqp, amqp_device_method_client.js). */
const METHOD_NAME = 'IoThub-methodname';
const STATUS = 'IoThub-status';
/** An answer is larger than its payload (128 KB) by its properties. */
const MAX_ANSWER_BYTES = 160 * 1024;

/** The direct methods of one device or module over AMQP: calls on one link, answers on another. */
export class MethodChannel {
  readonly #hub: LocalHub;
  readonly #address: Address;
  readonly #outboxes = new Map<Sender, Outbox>();

  constructor(hub: LocalHub, address: Address) {
    this.#hub = hub;
    this.#address = address;
  }

  openCalls(sender: Sender): void {
    this.#outboxes.set(sender, new Outbox(sender));
  }

  close(sender: Sender): void {
    this.#outboxes.delete(sender);
  }

  openAnswers(client: AmqpClient, receiver: Receiver): void {
    const take = async (bytes: Buffer) => {
      try {
        const { correlationId, application, data } = decodeMessage(bytes);
        const status = Number(application[STATUS]);
        this.#hub.methods.answered(this.#address, requestIdOf(idText(correlationId) ?? ''), {
          status: Number.isInteger(status) ? status : 0,
          body: Buffer.concat(data).toString('utf8'),
        });
        return undefined;
      } catch (error) {
        if (error instanceof MalformedMessageError) return undecodable(error.message);
        throw error;
      }
    };
    openInbox({ client, receiver, maxMessageSize: MAX_ANSWER_BYTES, take });
  }

  /** Returns whether the device takes methods. `payload` is JSON. */
  call({ requestId, name, payload }: { requestId: string; name: string; payload: string }): boolean {
    const outbox = [...this.#outboxes.values()].at(-1);
    outbox?.send({
      message: rhea.message.encode({
        correlation_id: rhea.string_to_uuid(uuidOf(requestId)),
        application_properties: { [METHOD_NAME]: name },
        body: rhea.message.data_section(Buffer.from(payload)),
      } as unknown as Parameters<typeof rhea.message.encode>[0]),
    });
    return outbox !== undefined;
  }
}

const UUID_START = '00000000-0000-4000-8000-';

/** The request id, a number in hexadecimal, as a UUID: the SDK for .NET accepts nothing else. */
function uuidOf(requestId: string): string {
  return `${UUID_START}${requestId.padStart(12, '0')}`;
}

/** The request id of a UUID; '' for another text. */
function requestIdOf(uuid: string): string {
  return uuid.startsWith(UUID_START) ? uuid.slice(UUID_START.length).replace(/^0+/, '') : '';
}
