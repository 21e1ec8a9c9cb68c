import type { Fleet } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { EPOCH, type EpochMs } from '../../time/epoch-ms.ts';
import { type Conditions, conditionsOf, effectiveHub, NO_CONDITIONS } from '../conditions.ts';
import type { Latency } from '../score/latency.ts';

/** The cause under which devices leave a draining hub. */
export function drainCause(host: HostName): string {
  return `drain:${host}`;
}

/**
 * The present causes of moves, from the fleet file and the overrides. `resyncFleet` records when each was
 * first seen. The cause of moves to faster hubs changes with the regions of the hubs, `latency` and `sticky`.
 */
export function currentCauses(fleet: Fleet, conditions: Conditions, now: EpochMs): readonly string[] {
  const drains = fleet.hubs
    .filter((hub) => effectiveHub(hub, conditionsOf(hub.host, conditions), now).state === 'draining')
    .map((hub) => drainCause(hub.host));
  const { fasterCause } = fleet.allocation;
  return fasterCause === undefined ? drains : [...drains, fasterCause];
}

/**
 * Conditions under which all gradual moves of a fleet file are complete. Counts, health and overrides are unknown, so nothing was
 * loaded.
 */
export function finalConditions(fleet: Fleet, now: EpochMs): Conditions {
  const causes = currentCauses(fleet, NO_CONDITIONS, now).map((cause) => [cause, EPOCH] as const);
  return { ...NO_CONDITIONS, causes: new Map(causes) };
}

/** Whether a hub is faster than another by at least `byMs`. Both latencies must be of the same source. */
export function isFaster(one: Latency | undefined, than: Latency | undefined, byMs: number): boolean {
  return one !== undefined && than !== undefined && one.source === than.source && than.ms - one.ms >= byMs;
}
