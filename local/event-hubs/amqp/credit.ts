import type { Sender } from 'rhea';
import { connectionInternals, senderInternals } from './rhea-internals.ts';

/** Delivery counts are serial numbers of 32 bits. */
const WRAP = 2 ** 32;

/**
 * Answers a client that drains its link: the credit it has left is used up without messages. rhea would count
 * it down one by one, and for ever when it is negative.
 */
export function giveBackCredit(sender: Sender): number {
  const internals = senderInternals(sender);
  const given = internals.credit;
  if (!(given > 0)) return 0;
  internals.delivery_count = (internals.delivery_count + given - 1) % WRAP;
  internals.credit = 1;
  sender.set_drained(true);
  connectionInternals(sender.connection)._register();
  return given;
}
