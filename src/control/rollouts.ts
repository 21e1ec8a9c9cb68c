import type { Policy, Rollout } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { hash } from '../json/hash.ts';
import { ownEntry } from '../json/json.ts';
import { type EpochMs, earlierOf, laterOf, plus } from '../time/epoch-ms.ts';
import type { Hold } from '../twin/plan/plan.ts';
import type { Control, Scope } from './control.ts';
import { pauseFor, scopeKey } from './pauses.ts';

/** The hub and device of a twin, which decide whether a policy is held for it. */
export interface TwinPlace {
  readonly host: HostName;
  readonly deviceId: string;
}

/**
 * Why a policy may not write to a twin now: a pause, or its rollout. A rollout reaches a device when
 * `hash(deviceId, policy) < elapsed / over`. So all instances decide the same without communication.
 */
export function holdOf(
  control: Control,
  policy: Pick<Policy, 'name' | 'hash'>,
  place: TwinPlace,
  rollout: Rollout | undefined,
  now: EpochMs,
): Hold | undefined {
  const pause = pauseFor(control, { kind: 'policy', name: policy.name });
  if (pause !== undefined)
    return { why: `the policy is paused by ${pause.author}: ${pause.reason}`, until: undefined };
  if (rollout === undefined || rollout.overMs === 0) return undefined;
  const elapsed = elapsedOf(control, policy, place.host, now);
  if (elapsed === undefined)
    return { why: 'the policy is new, and its rollout has not begun', until: plus(now, 60_000) };
  if (elapsed >= rollout.overMs) return undefined;
  const reachedAfterMs = (hash(place.deviceId, policy.hash) / 2 ** 32) * rollout.overMs;
  if (reachedAfterMs < elapsed) return undefined;
  // The first whole millisecond in which `reachedAfterMs < elapsed`.
  return {
    why: 'the rollout of the policy has not reached this twin',
    until: plus(now, Math.floor(reachedAfterMs) + 1 - elapsed),
  };
}

/**
 * How long the rollout of a policy has run on a hub, ms. Time in which it was paused or not in the fleet file does not
 * count. Undefined: it has not begun.
 *
 * @param host undefined: pauses of hubs are ignored.
 */
export function elapsedOf(
  control: Control,
  { name, hash: content }: Pick<Policy, 'name' | 'hash'>,
  host: HostName | undefined,
  now: EpochMs,
): number | undefined {
  const seen = ownEntry(control.seen, content);
  if (seen === undefined) return undefined;
  const scopes: readonly Scope[] = [
    { kind: 'fleet' },
    { kind: 'policy', name },
    ...(host === undefined ? [] : [{ kind: 'hub', host } as const]),
  ];
  const keys = new Set(scopes.map(scopeKey));
  const past = [...control.pastPauses.filter(({ scope }) => keys.has(scope)), ...(seen.away ?? [])];
  const going = [...scopes.map((scope) => pauseFor(control, scope)?.at), seen.leftAt]
    .filter((from) => from !== undefined)
    .map((from) => ({ from, to: now }));
  return Math.max(0, now - seen.since) - coveredBy([...past, ...going], seen.since, now);
}

/** How much of [from, to] these intervals cover together, ms. */
function coveredBy(
  intervals: readonly { readonly from: EpochMs; readonly to: EpochMs }[],
  from: EpochMs,
  to: EpochMs,
): number {
  let covered = 0;
  let end: EpochMs = from;
  for (const interval of [...intervals].sort((one, other) => one.from - other.from)) {
    const begin = laterOf(interval.from, end);
    const stop = earlierOf(interval.to, to);
    if (stop <= begin) continue;
    covered += stop - begin;
    end = stop;
  }
  return covered;
}
