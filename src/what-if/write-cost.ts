import type { Hub } from '../fleet/fleet.ts';
import { dailyLimit, MESSAGES, RESYNC_PART } from '../hub/budget.ts';
import { twinUpdatesPerSecond } from '../iot-hub/throttles.ts';
import { hoursText } from './report.ts';

/** What corrections cost a hub, and how long its budgets make them take. */
export interface WriteCost {
  /** Of the hub's daily quota. */
  readonly messages: number;
  /** What the rate allows, and the hours that it alone makes of the writes. */
  readonly rate: { readonly writesPerSecond: number; readonly hours: number };
  /** What a day allows, and over how many days it alone spreads the messages; undefined: it never allows one. */
  readonly daily: { readonly messages: number; readonly days: number | undefined };
  /** Under both, from the beginning of a day of which nothing is spent; undefined: it never ends. */
  readonly hours: number | undefined;
  /** The budget that makes it take so long; undefined: there is nothing to write. */
  readonly bottleneck: 'rate' | 'daily' | undefined;
}

/**
 * The work that a new revision makes is due, and `resyncFleet` does what is due from its own part of both budgets.
 *
 * @param writes twins that are written to, each with one PATCH
 * @param reads those of them that are read first
 */
export function writeCost(hub: Hub, writes: number, reads: number): WriteCost {
  const messages = writes * MESSAGES.write + reads * MESSAGES.read;
  const writesPerSecond = twinUpdatesPerSecond(hub) * hub.budget.rate * RESYNC_PART;
  // Reads have a rate of their own, which is twice as high for every tier.
  const rateHours = writes / writesPerSecond / 3_600;
  const perDay = dailyLimit(hub, RESYNC_PART);
  const cost = { messages, rate: { writesPerSecond, hours: rateHours } };
  if (writes > 0 && perDay < MESSAGES.write) {
    const daily = { messages: perDay, days: undefined };
    return { ...cost, daily, hours: undefined, bottleneck: 'daily' };
  }
  const days = Math.ceil(messages / perDay);
  const hours = Math.max(rateHours, hoursByDay(messages, perDay, rateHours));
  return {
    ...cost,
    daily: { messages: perDay, days },
    hours,
    bottleneck: writes === 0 ? undefined : hours > rateHours ? 'daily' : 'rate',
  };
}

/** Whole days until the last one begins, and what is left for that one at the rate. */
function hoursByDay(messages: number, perDay: number, rateHours: number): number {
  const before = Math.max(0, Math.ceil(messages / perDay) - 1);
  if (before === 0) return rateHours;
  return before * 24 + rateHours * ((messages - before * perDay) / messages);
}

/** `9 min`, `5.6 h`, `12.5 d` */
export function durationText(hours: number): string {
  return hours < 72 ? hoursText(hours) : `${Number((hours / 24).toFixed(1))} d`;
}
