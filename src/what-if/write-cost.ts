import type { Hub } from '../fleet/fleet.ts';
import { dailyLimit, MESSAGES, RESYNC_PART, ratePerSecond } from '../hub/budget.ts';
import { hoursText } from './report.ts';

/** The cost of corrections on one hub, and the time that its budgets allow. */
export interface WriteCost {
  /** Messages of the daily quota of the hub. */
  readonly messages: number;
  /** The allowed rate, and the hours that the writes take because of the rate alone. */
  readonly rate: { readonly writesPerSecond: number; readonly hours: number };
  /**
   * The allowed messages a day, and the days needed because of them alone; undefined if they allow no write.
   */
  readonly daily: { readonly messages: number; readonly days: number | undefined };
  /** The hours under both limits, from the start of an unused day; undefined if it never ends. */
  readonly hours: number | undefined;
  /** The limit that determines `hours`; undefined if there is nothing to write. */
  readonly bottleneck: 'rate' | 'daily' | undefined;
}

/**
 * Computes the cost of corrections. A new revision creates work items, and `resyncFleet` performs them: with the whole budget of twin
 * updates while many twins of a hub wait (`WriteClaim`), and with its own part of the messages of a day.
 *
 * @param writes number of twins to write, each with one PATCH
 * @param reads number of these twins that must be read first
 */
export function writeCost(hub: Hub, writes: number, reads: number): WriteCost {
  const messages = writes * MESSAGES.write + reads * MESSAGES.read;
  const writesPerSecond = ratePerSecond(hub, 'write', 1);
  // Reads have their own rate, which is twice as high in every tier, so they are never the bottleneck.
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

/** The whole days before the last one, plus the hours that its messages take at the rate. */
function hoursByDay(messages: number, perDay: number, rateHours: number): number {
  const before = Math.max(0, Math.ceil(messages / perDay) - 1);
  if (before === 0) return rateHours;
  return before * 24 + rateHours * ((messages - before * perDay) / messages);
}

/** `9 min`, `5.6 h`, `12.5 d` */
export function durationText(hours: number): string {
  return hours < 72 ? hoursText(hours) : `${Number((hours / 24).toFixed(1))} d`;
}
