import type { Berth } from './berth.ts';
import { NO_EVENT_FAULTS } from './event-log.ts';
import { NO_CALL_FAULTS } from './model-hub.ts';
import type { Random } from './random.ts';
import type { Simulation } from './simulation.ts';

/** How often things may fail in one random fleet. */
export interface MostTrouble {
  /** The greatest shares of calls to the hub that fail in each way. */
  readonly calls: { readonly error: number; readonly throttle: number; readonly timeout: number };
  /** The share of events that are lost, and in which share of the fleets that happens. Default: none. */
  readonly drops?: { readonly events: number; readonly fleets: number };
}

/** What the faults are made in. */
interface Troubled extends Pick<Simulation, 'log' | 'hub' | 'store'> {
  isCalm: boolean;
}

/** Events come twice and late, calls and instances fail, and instances work on the same batches: each as often as chance says. */
export function beginTrouble(
  { log, hub, store }: Troubled,
  berth: Berth,
  random: Random,
  { calls, drops }: MostTrouble,
): void {
  const rate = rateFrom(random);
  log.faults = {
    duplicate: rate(0.2),
    replay: rate(0.1),
    coalesce: rate(0.3),
    drop: drops !== undefined && random.chance(drops.fleets) ? drops.events : 0,
  };
  hub.faults = { error: rate(calls.error), throttle: rate(calls.throttle), timeout: rate(calls.timeout) };
  store.lostAnswers = rate(0.05);
  berth.crashRate = rate(0.1);
  berth.overlapRate = rate(0.3);
}

/** A rate that is zero in half of the fleets. */
export function rateFrom(random: Random): (most: number) => number {
  return (most) => (random.chance(0.5) ? 0 : random.next() * most);
}

/** No more faults and no more changes, and only the newest package is left. */
export function endTrouble(simulation: Troubled, berth: Berth): void {
  const { log, hub, store } = simulation;
  simulation.isCalm = true;
  log.faults = NO_EVENT_FAULTS;
  hub.faults = NO_CALL_FAULTS;
  hub.downUntil = 0;
  store.awayUntil = 0;
  store.lostAnswers = 0;
  berth.crashRate = 0;
  berth.overlapRate = 0;
  berth.retireOld();
}
