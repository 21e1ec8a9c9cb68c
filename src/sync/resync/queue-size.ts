import type { Hub } from '../../fleet/fleet.ts';
import { RESYNC_PART, ratePerSecond } from '../../hub/budget.ts';

/*
 * How much of a hub's work queue is handled at a time. Pure: by the twin updates that the whole budget of the hub allows in a second,
 * so that neither a small hub waits nor a large hub is held back.
 */

type Size = Pick<Hub, 'tier' | 'units' | 'budget'>;

/** A twin needs its permit, two writes of its record and one call of the hub. With permits at hand, that takes less than this. */
const TWIN_SECONDS = 0.5;
const LEAST_TWINS = 8;
const MOST_TWINS = 128;
/** More urgent work items are looked for after this time. */
const LOOK_AGAIN_SECONDS = 10;
const LEAST_ROWS = 50;
/** Work that the usual part of `resyncFleet` does in this time is no reason to claim the writes of a hub. */
const SOON_SECONDS = 20;
const LEAST_MANY = 100;
/** Half of the rows that one look at a hub can find, so that also the largest hub can have many. */
const MOST_MANY = 400;
/** The claim ends when the usual part does the rest in this time. */
const NEARLY_DONE_SECONDS = 5;

/** Twins of a hub that are reconciled at the same time. The budget limits the rate. */
export function twinsAtOnce(hub: Size): number {
  return clamp(ratePerSecond(hub, 'write', 1) * TWIN_SECONDS, LEAST_TWINS, MOST_TWINS);
}

/** Work items that are done before the queue is read again. */
export function rowsAtOnce(hub: Size): number {
  return Math.max(LEAST_ROWS, Math.ceil(ratePerSecond(hub, 'write', 1) * LOOK_AGAIN_SECONDS));
}

/** If this number of twins or more wait for a write, `resyncFleet` claims the writes of a hub. */
export function manyTwins(hub: Size): number {
  return clamp(ratePerSecond(hub, 'write', RESYNC_PART) * SOON_SECONDS, LEAST_MANY, MOST_MANY);
}

/** If fewer twins wait, it gives the writes back. */
export function fewTwins(hub: Size): number {
  return Math.min(manyTwins(hub) / 2, ratePerSecond(hub, 'write', RESYNC_PART) * NEARLY_DONE_SECONDS);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, Math.ceil(value)));
}
