import type { Delivery, Receiver } from 'rhea';
import { type AmqpError, messageTooLarge } from './conditions.ts';
import { linkInternals } from './rhea-internals.ts';
import type { AmqpClient } from './service.ts';
import { forget, reject } from './settlement.ts';

export interface InboxOptions {
  readonly client: AmqpClient;
  readonly receiver: Receiver;
  /** Largest message in bytes. Larger ones are rejected with `amqp:link:message-size-exceeded`. */
  readonly maxMessageSize: number;
  /**
   * Takes a message (encoded) and its format. Returns the reason of a rejection, or undefined. If it throws or rejects, the
   * connection ends.
   */
  readonly take: (message: Buffer, format: number) => Promise<AmqpError | undefined>;
}

/**
 * Opens a link on which the client sends messages. It takes one message after the other, and accepts each one after it is
 * taken. While messages wait, the client gets no more than its credit.
 */
export function openInbox({ client, receiver, maxMessageSize, take }: InboxOptions): void {
  receiver.set_target({ address: receiver.target.address });
  // The service answers with the smaller of the two limits. 0 means no limit.
  linkInternals(receiver).local.attach.max_message_size = Math.min(
    maxMessageSize,
    Number(receiver.max_message_size) || maxMessageSize,
  );
  let last: Promise<void> = Promise.resolve();
  receiver.on('message', ({ message, delivery }: { message?: unknown; delivery?: Delivery }) => {
    if (delivery === undefined) return;
    const { size, aborted } = client.inbound();
    if (aborted) return forget(delivery);
    if (size > maxMessageSize) {
      reject(delivery, messageTooLarge(delivery.id, size, maxMessageSize));
      return;
    }
    const bytes = Buffer.isBuffer(message) ? message : Buffer.alloc(0);
    last = last.then(() => settle(delivery, bytes)).catch((error: unknown) => client.drop(String(error)));
  });

  async function settle(delivery: Delivery, bytes: Buffer): Promise<void> {
    if (client.stream.destroyed) return;
    const refusal = await take(bytes, delivery.format ?? 0);
    if (client.stream.destroyed) return;
    if (refusal === undefined) delivery.accept();
    else reject(delivery, refusal);
  }
}
