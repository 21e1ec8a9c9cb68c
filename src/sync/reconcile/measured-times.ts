import type { Instant } from '../../time/instant.ts';
import { millisecondsOf } from '../../time/instant.ts';
import type { Snapshot } from '../../twin/snapshot/snapshot.ts';

/**
 * How long a device took to be in sync after the last correction, in ms, by the hub's times. Undefined: the twin did not come in
 * sync with this change.
 */
export function acknowledgementTime(before: Snapshot | undefined, after: Snapshot): number | undefined {
  if (before?.lastReconcile.status !== 'pending' || after.lastReconcile.status !== 'inSync') return undefined;
  let written: Instant | undefined;
  for (const { oursAt } of Object.values(after.paths))
    if (oursAt !== undefined && (written === undefined || oursAt > written)) written = oursAt;
  return written === undefined
    ? undefined
    : Math.max(0, millisecondsOf(after.asOf) - millisecondsOf(written));
}

/**
 * How long a correction took after the event that it answers, in ms. Undefined: it answers a new fleet file or a question, and
 * no event.
 */
export function correctionTime(
  before: Snapshot | undefined,
  first: Snapshot,
  writtenAt: number,
): number | undefined {
  const priority = before?.workItem?.priority;
  if (priority === 'resync' || priority === 'activity') return undefined;
  return Math.max(0, writtenAt - millisecondsOf(first.asOf));
}
