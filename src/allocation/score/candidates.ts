import type { Fleet, Hub } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import {
  type Conditions,
  conditionsOf,
  effectiveHub,
  type HubConditions,
  isFull,
  isUnhealthy,
} from '../conditions.ts';
import type { BoundRules } from '../parent/known-parent.ts';
import type { AllocationRequest } from '../request/request.ts';
import { meets } from '../rules/rules.ts';
import type { Latencies, Latency } from './latency.ts';
import { overloaded } from './load.ts';
import { type DeviceWords, type ScoredHub, scoresOf, type WeightedHub } from './placement.ts';

/** Why a linked hub may not receive the device. */
export type Exclusion =
  | 'not in the fleet file'
  | 'not selected by the enrollment'
  | 'does not meet a require rule'
  | 'not the hub of the hub rule'
  | 'not the hub of the parent'
  | 'the hub of the parent is not known'
  | 'cordoned'
  | 'draining'
  | 'full'
  | 'unhealthy';

/** A linked hub with its exclusion and its score for one device. */
export interface Candidate {
  readonly host: HostName;
  readonly latency: Latency | undefined;
  /** The exclusion that would remain if the hub were active, empty and healthy. */
  readonly lasting: Exclusion | undefined;
  readonly excluded: Exclusion | undefined;
  /** Undefined if the hub may not receive the device. */
  readonly scored: ScoredHub<Receiver> | undefined;
}

/** A hub that may receive the device, with its weight for this device. */
export interface Receiver extends WeightedHub {
  /** The hub has more than its share of devices. It wins only if all receivers are overloaded. */
  readonly isOverloaded: boolean;
}

/** Every linked hub in the order of the request, before the scores. It does not depend on the ids of the device. */
export interface Rating {
  readonly rated: readonly RatedHub[];
  /** Those of `rated` that may receive the device, in the same order. */
  readonly receiving: readonly RatedHub[];
  /** The same hubs, with their weights. */
  readonly receivers: readonly Receiver[];
}

/** Rates every linked hub. */
export function ratingOf(
  request: AllocationRequest,
  fleet: Fleet,
  conditions: Conditions,
  rules: BoundRules,
  latencies: Latencies,
  now: EpochMs,
): Rating {
  const selected = request.enrollment.iotHubs;
  const rated = request.linkedHubs.map(({ host }): RatedHub => {
    const hub = fleet.hubByHost.get(host);
    const latency = latencies.byHost.get(host);
    const lasting = lastingExclusion(host, hub, selected, rules);
    if (hub === undefined || lasting !== undefined) {
      return { host, latency, lasting, excluded: lasting, weight: 0, devices: undefined };
    }
    const found = conditionsOf(host, conditions);
    const { state, weight } = effectiveHub(hub, found, now);
    const isWaiting = rules.parent !== undefined && rules.parentHub === undefined;
    const excluded = isWaiting
      ? 'the hub of the parent is not known'
      : passingExclusion(hub, state, found, now);
    return { host, latency, lasting, excluded, weight, devices: found.devices?.count };
  });
  const receiving = receivingOf(rated);
  return { rated, receiving, receivers: receiversOf(receiving, rated, fleet, rules) };
}

/** Scores the rated hubs for one device. */
export function candidatesOf(
  { rated, receiving, receivers }: Rating,
  device: DeviceWords,
): readonly Candidate[] {
  const scored = scoresOf(device, receivers);
  let next = 0;
  return rated.map((each): Candidate => {
    const { host, latency, lasting, excluded } = each;
    if (receiving[next] !== each) return { host, latency, lasting, excluded, scored: undefined };
    next += 1;
    return { host, latency, lasting, excluded, scored: scored[next - 1] };
  });
}

/** The scores of the hubs that may receive the device. */
export function scoredHubsOf(candidates: readonly Candidate[]): readonly ScoredHub<Receiver>[] {
  return candidates.map(({ scored }) => scored).filter((scored) => scored !== undefined);
}

/** A linked hub with its exclusion and its weight. */
export interface RatedHub {
  readonly host: HostName;
  readonly latency: Latency | undefined;
  readonly lasting: Exclusion | undefined;
  readonly excluded: Exclusion | undefined;
  /** The weight of the hub, before rules and latency. */
  readonly weight: number;
  readonly devices: number | undefined;
}

function lastingExclusion(
  host: HostName,
  hub: Hub | undefined,
  selected: readonly HostName[],
  rules: BoundRules,
): Exclusion | undefined {
  if (hub === undefined) return 'not in the fleet file';
  if (selected.length > 0 && !selected.includes(host)) return 'not selected by the enrollment';
  if (rules.requirements.length > 0 && !meets(hub.labels, rules.requirements))
    return 'does not meet a require rule';
  if (rules.only !== undefined && rules.only !== host) return 'not the hub of the hub rule';
  return rules.parentHub !== undefined && rules.parentHub !== host ? 'not the hub of the parent' : undefined;
}

function passingExclusion(
  hub: Hub,
  state: Hub['state'],
  found: HubConditions,
  now: EpochMs,
): Exclusion | undefined {
  if (state !== 'active') return state;
  if (isFull(hub, found, now)) return 'full';
  return isUnhealthy(found) ? 'unhealthy' : undefined;
}

/** If only unhealthy hubs are left, they receive devices: an outage must not refuse every registration. */
function receivingOf(rated: readonly RatedHub[]): readonly RatedHub[] {
  const free = rated.filter(({ excluded }) => excluded === undefined);
  return free.length > 0 ? free : rated.filter(({ excluded }) => excluded === 'unhealthy');
}

function receiversOf(
  receiving: readonly RatedHub[],
  rated: readonly RatedHub[],
  { allocation }: Fleet,
  rules: BoundRules,
): readonly Receiver[] {
  const { halfLifeMs, loadEpsilon } = allocation;
  const over = loadEpsilon === undefined ? NONE : overloaded(receiving, loadEpsilon);
  const slowerBy = halfLifeMs === undefined ? () => 0 : slowness(rated, receiving);
  return receiving.map(({ host, latency, weight }) => {
    const slower = slowerBy(latency);
    const byRules = bounded(rules.prefer.size === 0 ? weight : weight * (rules.prefer.get(host) ?? 1));
    return {
      host,
      isOverloaded: over.has(host),
      weight:
        slower === 0 || halfLifeMs === 0 ? byRules : bounded(byRules * halved(slower / (halfLifeMs ?? 1))),
      behind: halfLifeMs === 0 ? slower : 0,
    };
  });
}

const NONE: ReadonlySet<HostName> = new Set();

/**
 * The difference between a latency and the best latency of the receiving hubs, in milliseconds. An unknown
 * latency counts as the worst known latency of all linked hubs, so that no hub profits from an unknown
 * latency.
 */
function slowness(
  rated: readonly RatedHub[],
  receiving: readonly RatedHub[],
): (latency: Latency | undefined) => number {
  const worst = rated.reduce((ms, { latency }) => Math.max(ms, latency?.ms ?? -1), -1);
  if (worst === -1) return () => 0;
  const best = receiving.reduce((ms, { latency }) => Math.min(ms, latency?.ms ?? worst), worst);
  return (latency) => (latency?.ms ?? worst) - best;
}

/** 2 to the power of minus `times`. `Math.exp` takes half the time of `2 ** -times`. */
function halved(times: number): number {
  return Math.exp(-Math.LN2 * times);
}

/**
 * Limits a weight, because many factors could make it 0 or infinite. Every receiving hub then has a finite
 * score.
 */
function bounded(weight: number): number {
  return Math.min(1e300, Math.max(1e-300, weight));
}
