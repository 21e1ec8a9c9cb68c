import type { Sender } from 'rhea';
import { connectionInternals, senderInternals } from './rhea-internals.ts';

/** Delivery counts are serial numbers of 32 bits. */
const WRAP = 2 ** 32;

/**
 * Answers a client that drains its link: uses up the rest of its credit without messages. rhea would count the credit
 * down one by one, and would never end with a negative credit.
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
