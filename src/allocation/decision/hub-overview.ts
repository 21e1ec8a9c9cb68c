import type { Fleet, Hub } from '../../fleet/fleet.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import {
  type Conditions,
  conditionsOf,
  effectiveHub,
  inForce,
  isUnhealthy,
  type Overrides,
} from '../conditions.ts';
import { progressOf } from '../moves/gradual-move.ts';
import { currentCauses } from '../moves/moves.ts';

/** The present state of a hub in allocation, for reports. */
export interface HubOverview extends Pick<Hub, 'host' | 'region' | 'state' | 'weight' | 'capacity'> {
  /** Shares of all devices, from 0 to 1: by weight (0 for a draining hub), and as counted. */
  readonly share: { readonly wanted: number; readonly actual: number };
  readonly devices: number | undefined;
  readonly countedAt: EpochMs | undefined;
  readonly failures: number;
  readonly isHealthy: boolean;
  /** The overrides that have not expired. */
  readonly overrides: Overrides;
}

export function hubOverviews(fleet: Fleet, conditions: Conditions, now: EpochMs): readonly HubOverview[] {
  const hubs = fleet.hubs.map((hub) => {
    const found = conditionsOf(hub.host, conditions);
    return { hub, found, ...effectiveHub(hub, found, now) };
  });
  const wanted = hubs.map(({ state, weight }) => (state === 'draining' ? 0 : weight));
  const weights = sum(wanted);
  const devices = sum(hubs.map(({ found }) => found.devices?.count ?? 0));
  return hubs.map(({ hub, found, state, weight }, index) => ({
    host: hub.host,
    region: hub.region,
    state,
    weight,
    capacity: hub.capacity,
    share: {
      wanted: weights === 0 ? 0 : (wanted[index] ?? 0) / weights,
      actual: devices === 0 ? 0 : (found.devices?.count ?? 0) / devices,
    },
    devices: found.devices?.count,
    countedAt: found.devices?.countedAt,
    failures: found.failures ?? 0,
    isHealthy: !isUnhealthy(found),
    overrides: inForce(found.overrides ?? {}, now),
  }));
}

/** A gradual move that moves devices now. */
export interface MoveOverview {
  readonly cause: string;
  /** Undefined: `resyncFleet` has not seen it yet, so it moves no device. */
  readonly since: EpochMs | undefined;
  /** The share of all devices that it has reached, from 0 to 1. */
  readonly progress: number;
}

export function moveOverviews(fleet: Fleet, conditions: Conditions, now: EpochMs): readonly MoveOverview[] {
  return currentCauses(fleet, conditions, now).map((cause) => {
    const since = conditions.causes.get(cause);
    return { cause, since, progress: progressOf(since, fleet.allocation.movesOverMs, now) };
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
