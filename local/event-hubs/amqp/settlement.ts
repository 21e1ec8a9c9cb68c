import type { Delivery } from 'rhea';
import type { AmqpError } from '../conditions.ts';
import { deliveryInternals } from './rhea-internals.ts';

/**
 * Rejects a message, in a turn of its own: of two messages that are settled in one tick rhea reports the
 * first one's outcome for both (its `write_dispositions` compares outcomes from the third message on).
 */
export function reject(delivery: Delivery, error: AmqpError): void {
  setImmediate(() => delivery.reject(error));
}

/**
 * Lets go of a message that its sender gave up: it counts as settled without a word (OASIS AMQP 1.0, part 2,
 * section 2.7.5).
 */
export function forget(delivery: Delivery): void {
  deliveryInternals(delivery).settled = true;
}
