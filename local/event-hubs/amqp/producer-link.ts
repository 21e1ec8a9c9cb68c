import type { Delivery, Receiver } from 'rhea';
import { type AmqpError, internalError, messageTooLarge, undecodable } from '../../amqp/conditions.ts';
import { MalformedMessageError } from '../../amqp/encoding.ts';
import type { InboundTransfer } from '../../amqp/inbound-transfer.ts';
import { linkInternals } from '../../amqp/rhea-internals.ts';
import { forget, reject } from '../../amqp/settlement.ts';
import type { LocalLog } from '../../log.ts';
import type { EventHub } from '../event-hub.ts';
import { readProducedEvents } from '../message/event-message.ts';
import type { Partition } from '../partition.ts';

/** Bytes of one message or batch, in the standard tier (azure-docs, event-hubs-quotas). */
export const MAX_MESSAGE_SIZE = 1_048_576;

export interface ProducerLinkOptions {
  readonly receiver: Receiver;
  readonly hub: EventHub;
  /** Undefined: the event hub chooses a partition for each message. */
  readonly partition: Partition | undefined;
  /** Facts about the current message. */
  readonly inbound: () => InboundTransfer;
  readonly log: LocalLog;
}

/** Appends the messages of a producer, and accepts each one after it is stored. */
export function openProducerLink(options: ProducerLinkOptions): void {
  const { receiver, inbound } = options;
  const { attach } = linkInternals(receiver).local;
  // The service answers with the smaller of the two limits. 0 means no limit (Azure/azure-sdk-for-python#42814).
  attach.max_message_size = Math.min(MAX_MESSAGE_SIZE, Number(receiver.max_message_size) || MAX_MESSAGE_SIZE);
  receiver.on('message', ({ message, delivery }: { message?: unknown; delivery?: Delivery }) => {
    if (delivery === undefined) return;
    const transfer = inbound();
    if (transfer.aborted) {
      forget(delivery);
      return;
    }
    const refusal = take(options, delivery, Buffer.isBuffer(message) ? message : Buffer.alloc(0), transfer);
    if (refusal === undefined) delivery.accept();
    else reject(delivery, refusal);
  });
}

function take(
  { hub, partition, log }: ProducerLinkOptions,
  delivery: Delivery,
  message: Buffer,
  transfer: InboundTransfer,
): AmqpError | undefined {
  if (transfer.size > MAX_MESSAGE_SIZE) return messageTooLarge(delivery.id, transfer.size, MAX_MESSAGE_SIZE);
  try {
    hub.append(readProducedEvents(message, delivery.format), partition);
    return undefined;
  } catch (error) {
    if (error instanceof MalformedMessageError) return undecodable(error.message);
    log.error(`Event Hubs: events for "${hub.name}" could not be stored: ${String(error)}`);
    return internalError();
  }
}
