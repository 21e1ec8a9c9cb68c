import type { Delivery } from 'rhea';
import type { AmqpError } from './conditions.ts';
import { guardedLater } from './guarded.ts';
import { deliveryInternals, outcomeStates, outgoingInternals } from './rhea-internals.ts';

/**
 * Rejects a message in its own tick. If two messages are settled in one tick, rhea reports the outcome of the first
 * for both (its `write_dispositions` compares outcomes only from the third message on).
 */
export function reject(delivery: Delivery, error: AmqpError): void {
  guardedLater(delivery.link, () => delivery.reject(error));
}

/**
 * Settles a message that its sender aborted, without an answer (OASIS AMQP 1.0, part 2, section 2.7.5).
 */
export function forget(delivery: Delivery): void {
  deliveryInternals(delivery).settled = true;
}

/**
 * Answers what a client did with a message, unless the client has settled it already. A client with the settle mode `second`
 * waits for this answer (OASIS AMQP 1.0, part 2, section 2.6.12).
 */
export function answerOutcome(delivery: Delivery, refusal: AmqpError | undefined): void {
  const internals = outgoingInternals(delivery);
  if (internals.remote_settled) return;
  const { accepted, rejected } = outcomeStates();
  internals.update(true, (refusal === undefined ? accepted() : rejected({ error: refusal })).described());
  internals.remote_settled = true;
}
