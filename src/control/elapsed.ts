import type { Policy } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { ownEntry } from '../json/json.ts';
import { type EpochMs, earlierOf, laterOf } from '../time/epoch-ms.ts';
import type { Control, Scope } from './control.ts';
import { pauseFor, scopeKey } from './pauses.ts';

type Content = Pick<Policy, 'name' | 'hash'>;

/**
 * How long the rollout of a policy has run on a hub, ms. Time in which it was paused or not in the fleet file does not
 * count. Undefined: it has not begun.
 *
 * @param host undefined: pauses of hubs are ignored.
 */
export function elapsedOf(
  control: Control,
  policy: Content,
  host: HostName | undefined,
  now: EpochMs,
): number | undefined {
  const seen = ownEntry(control.seen, policy.hash);
  return seen === undefined ? undefined : elapsedSince(control, policy, seen.since, host, now);
}

/** As `elapsedOf`, from the beginning of a stage. */
export function elapsedSince(
  control: Control,
  { name, hash: content }: Content,
  since: EpochMs,
  host: HostName | undefined,
  now: EpochMs,
): number {
  const seen = ownEntry(control.seen, content);
  const scopes: readonly Scope[] = [
    { kind: 'fleet' },
    { kind: 'policy', name },
    ...(host === undefined ? [] : [{ kind: 'hub', host } as const]),
  ];
  const keys = new Set([...scopes.map(scopeKey), rolloutScope(content)]);
  const past = [...control.pastPauses.filter(({ scope }) => keys.has(scope)), ...(seen?.away ?? [])];
  const going = [
    ...scopes.map((scope) => pauseFor(control, scope)?.at),
    ownEntry(control.rollouts, content)?.pause?.at,
    seen?.leftAt,
  ]
    .filter((from) => from !== undefined)
    .map((from) => ({ from, to: now }));
  return Math.max(0, now - since) - coveredBy([...past, ...going], since, now);
}

/** The scope of a past pause of the rollout of a content. */
export function rolloutScope(content: string): string {
  return `rollout:${content}`;
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
