import type { Sender } from 'rhea';
import rhea from 'rhea';
import { guarded, type OpenedLink, Outbox } from '../../amqp/index.ts';
import type { LockedMessage, ServiceQueue } from '../hub/service-queue.ts';

/** What the messages of a queue for services look like. */
export interface ServiceMessageForm {
  readonly contentType: string;
  /** The user id of each message: the name of the hub. */
  readonly userId: string;
}

/**
 * Sends the messages of a queue on a link, as many as the client has granted credit for. The client completes
 * (`accepted`), rejects or gives back (`released`) each one. The delivery tag is the lock token, 16 bytes in the order of
 * .NET's `Guid` (azure-iot-sdk-csharp, AmqpFeedbackReceiver.cs). Messages that are not settled when the link ends are
 * given back.
 */
export function serveQueue(
  { link, whenClosed }: OpenedLink<Sender>,
  queue: ServiceQueue,
  form: ServiceMessageForm,
): void {
  const outbox = new Outbox(link, true);
  const held = new Set<string>();
  const pump = (): void => guarded(link, send);
  const send = (): void => {
    while (link.is_open() && outbox.hasCredit) {
      const message = queue.receive();
      if (message === undefined) return;
      const { lockToken } = message;
      held.add(lockToken);
      outbox.send({
        message: encode(message, form),
        tag: guidBytes(lockToken),
        settled(outcome) {
          held.delete(lockToken);
          if (outcome === 'released') queue.abandon(lockToken);
          else queue.complete(lockToken);
          pump();
        },
      });
    }
  };
  link.on('sender_flow', pump);
  link.on('sendable', pump);
  const stop = queue.onMessage(pump);
  whenClosed(() => {
    stop();
    for (const lockToken of held) queue.abandon(lockToken);
  });
  setImmediate(pump);
}

function encode(
  { id, body, enqueuedAt }: LockedMessage,
  { contentType, userId }: ServiceMessageForm,
): Buffer {
  return rhea.message.encode({
    body: rhea.message.data_section(Buffer.from(body)),
    message_annotations: { 'iothub-enqueuedtime': rhea.types.wrap_timestamp(enqueuedAt) },
    message_id: id,
    content_type: contentType,
    content_encoding: 'utf-8',
    user_id: Buffer.from(userId),
  });
}

/** The bytes of a UUID as .NET orders them: its first three groups are little-endian. */
function guidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
