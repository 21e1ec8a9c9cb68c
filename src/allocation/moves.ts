import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { Candidate } from './candidates.ts';
import { type Conditions, conditionsOf, effectiveHub } from './conditions.ts';

/** The cause under which devices leave a draining hub. */
export function drainCause(host: HostName): string {
  return `drain:${host}`;
}

/**
 * Every cause of moves that the fleet file and the overrides give now; `resyncFleet` records when each was
 * first seen. That under which devices go to faster hubs changes with the regions of the hubs, `latency` and
 * `sticky`.
 */
export function currentCauses(fleet: Fleet, conditions: Conditions, now: number): readonly string[] {
  const drains = fleet.hubs
    .filter((hub) => effectiveHub(hub, conditionsOf(hub.host, conditions), now).state === 'draining')
    .map((hub) => drainCause(hub.host));
  const { fasterCause } = fleet.allocation;
  return fasterCause === undefined ? drains : [...drains, fasterCause];
}

/** The hubs that may receive and are faster than the current one by so much, by the same source. */
export function fasterThan(
  current: HostName,
  candidates: readonly Candidate[],
  byMs: number | undefined,
): readonly Candidate[] {
  const now = candidates.find(({ host }) => host === current)?.latency;
  if (byMs === undefined || now === undefined) return [];
  return candidates.filter(
    ({ host, latency, draw }) =>
      draw !== undefined &&
      host !== current &&
      latency !== undefined &&
      latency.source === now.source &&
      now.ms - latency.ms >= byMs,
  );
}
