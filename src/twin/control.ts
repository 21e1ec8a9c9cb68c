import * as z from 'zod';
import type { Policy, Rollout } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import { hash } from '../hash.ts';
import type { Hold } from './plan.ts';

/*
 * What every writer obeys: pauses, and when each policy was first seen. One row in the state tables holds it; here
 * is what it means. Pure.
 */

const pauseSchema = z.object({ author: z.string(), reason: z.string(), at: z.number() });

const policySeenSchema = z.object({
  name: z.string(),
  /** When this content was first seen, ms since the epoch: its ramp begins there. */
  since: z.number(),
  /** When it was found to be in no fleet file any more. */
  leftAt: z.number().optional(),
  /** A person has resumed it after it paused itself: it does not do so again. */
  isTrusted: z.boolean().optional(),
});

const pastPauseSchema = z.object({ scope: z.string(), from: z.number(), to: z.number() });

export const controlSchema = z.object({
  /** Present while nothing may be written to any hub. */
  fleet: pauseSchema.optional(),
  hubs: z.record(z.string(), pauseSchema).default({}),
  /** By name. */
  policies: z.record(z.string(), pauseSchema).default({}),
  /** Build time of the newest package that has run, ISO 8601; instances of an older one do not write. */
  newestBuild: z.string().default(''),
  /** By content hash. */
  seen: z.record(z.string(), policySeenSchema).default({}),
  pastPauses: z.array(pastPauseSchema).default([]),
  /** Hubs whose events are not trusted: every decision is preceded by a read. */
  untrusted: z.record(z.string(), z.object({ since: z.number(), why: z.string() })).default({}),
  /** Grows whenever twins must be planned anew although nothing about them has changed. */
  generation: z.number().default(0),
  /** When that, or the newest package, last changed, ms since the epoch. */
  changedAt: z.number().default(0),
});

/** Who paused something, when (ms since the epoch) and why. */
export type Pause = z.output<typeof pauseSchema>;
export type Control = z.output<typeof controlSchema>;

/** What a pause is about. */
export type Scope =
  | { readonly kind: 'fleet' }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'policy'; readonly name: string };

/** Who pauses a policy that too many devices reject. */
export const SELF = 'Berth';

/** A policy that comes back within this time goes on with the ramp that it had: so a rollback takes effect at once. */
const REMEMBERED_MS = 7 * 24 * 60 * 60_000;
/** More pauses than anybody remembers; the oldest are forgotten first. */
const MAX_PAST_PAUSES = 500;

/** Why a hub may not be written now, or undefined. */
export function pauseOf(control: Control, host: HostName): Pause | undefined {
  return control.fleet ?? control.hubs[host];
}

/** The control row with a pause; the first one of a scope stays. */
export function withPause(control: Control, scope: Scope, pause: Pause): Control {
  switch (scope.kind) {
    case 'fleet':
      return control.fleet === undefined ? { ...control, fleet: pause } : control;
    case 'hub':
      return scope.host in control.hubs
        ? control
        : { ...control, hubs: { ...control.hubs, [scope.host]: pause } };
    case 'policy':
      return Object.hasOwn(control.policies, scope.name)
        ? control
        : { ...control, policies: { ...control.policies, [scope.name]: pause } };
  }
}

/** The control row without a pause, which is remembered: paused time does not count for ramps. */
export function withoutPause(control: Control, scope: Scope, now: number): Control {
  const pause = pauseFor(control, scope);
  if (pause === undefined) return control;
  const pastPauses = [...control.pastPauses, { scope: scopeKey(scope), from: pause.at, to: now }].slice(
    -MAX_PAST_PAUSES,
  );
  const resumed = { ...control, pastPauses };
  switch (scope.kind) {
    case 'fleet':
      return { ...resumed, fleet: undefined };
    case 'hub':
      return { ...resumed, hubs: without(control.hubs, scope.host) };
    case 'policy':
      return {
        ...resumed,
        policies: without(control.policies, scope.name),
        seen: pause.author === SELF ? trusting(control.seen, scope.name) : control.seen,
        // What the policy held is due nowhere.
        generation: control.generation + 1,
        changedAt: now,
      };
  }
}

export function pauseFor(control: Control, scope: Scope): Pause | undefined {
  switch (scope.kind) {
    case 'fleet':
      return control.fleet;
    case 'hub':
      return control.hubs[scope.host];
    case 'policy':
      return Object.hasOwn(control.policies, scope.name) ? control.policies[scope.name] : undefined;
  }
}

/**
 * The control row after a package of this build time has started with these policies, if it is the newest.
 *
 * @param policies undefined while it has no valid fleet file: what was seen stays.
 */
export function withPackage(
  control: Control,
  build: string,
  policies: readonly Pick<Policy, 'name' | 'hash'>[] | undefined,
  now: number,
): Control {
  if (build < control.newestBuild) return control;
  const seen = policies === undefined ? control.seen : policiesSeen(control.seen, policies, now);
  return seen === control.seen && build === control.newestBuild
    ? control
    : { ...control, newestBuild: build, seen, changedAt: now };
}

type Seen = Control['seen'];

function policiesSeen(seen: Seen, policies: readonly Pick<Policy, 'name' | 'hash'>[], now: number): Seen {
  const names = new Map(policies.map(({ hash: content, name }) => [content, name]));
  const next: Seen = {};
  let isChanged = false;
  for (const [content, entry] of Object.entries(seen)) {
    const isHere = names.has(content);
    if (!isHere && entry.leftAt !== undefined && now - entry.leftAt > REMEMBERED_MS) isChanged = true;
    else if (isHere === (entry.leftAt === undefined)) next[content] = entry;
    else {
      const { leftAt: _, ...rest } = entry;
      next[content] = isHere ? rest : { ...rest, leftAt: now };
      isChanged = true;
    }
  }
  for (const [content, name] of names) {
    if (Object.hasOwn(next, content)) continue;
    next[content] = { name, since: now };
    isChanged = true;
  }
  return isChanged ? next : seen;
}

/** Where a twin is, for what may hold a policy back from it. */
export interface Place {
  readonly host: HostName;
  readonly deviceId: string;
}

/**
 * What keeps a policy from a twin. A ramp reaches a device when `hash(deviceId, policy) < elapsed / over`: the same
 * on every instance, without any of them asking another.
 */
export function holdOf(
  control: Control,
  policy: Pick<Policy, 'name' | 'hash'>,
  place: Place,
  rollout: Rollout | undefined,
  now: number,
): Hold | undefined {
  const pause = pauseFor(control, { kind: 'policy', name: policy.name });
  if (pause !== undefined)
    return { why: `the policy is paused by ${pause.author}: ${pause.reason}`, until: undefined };
  if (rollout === undefined || rollout.overMs === 0) return undefined;
  const elapsed = elapsedOf(control, policy, place.host, now);
  if (elapsed === undefined)
    return { why: 'the policy has just been seen for the first time', until: now + 60_000 };
  if (elapsed >= rollout.overMs) return undefined;
  const turn = (hash(place.deviceId, policy.hash) / 2 ** 32) * rollout.overMs;
  if (turn < elapsed) return undefined;
  return { why: 'the ramp of the policy has not reached it', until: Math.ceil(now + turn - elapsed) + 1 };
}

/**
 * How long a policy's ramp has run on a hub (undefined: where no hub is paused), ms, without the time in which it was
 * paused. Undefined: it has not begun.
 */
export function elapsedOf(
  control: Control,
  { name, hash: content }: Pick<Policy, 'name' | 'hash'>,
  host: HostName | undefined,
  now: number,
): number | undefined {
  const seen = Object.hasOwn(control.seen, content) ? control.seen[content] : undefined;
  if (seen === undefined) return undefined;
  const scopes: readonly Scope[] = [
    { kind: 'fleet' },
    { kind: 'policy', name },
    ...(host === undefined ? [] : [{ kind: 'hub', host } as const]),
  ];
  const keys = new Set(scopes.map(scopeKey));
  const going = scopes
    .flatMap((scope) => pauseFor(control, scope)?.at ?? [])
    .map((from) => ({ from, to: now }));
  const past = control.pastPauses.filter(({ scope }) => keys.has(scope));
  return Math.max(0, now - seen.since) - coveredBy([...past, ...going], seen.since, now);
}

/** How much of [from, to] these intervals cover together. */
function coveredBy(
  intervals: readonly { readonly from: number; readonly to: number }[],
  from: number,
  to: number,
): number {
  let covered = 0;
  let end = from;
  for (const interval of [...intervals].sort((one, other) => one.from - other.from)) {
    const begin = Math.max(interval.from, end);
    const stop = Math.min(interval.to, to);
    if (stop <= begin) continue;
    covered += stop - begin;
    end = stop;
  }
  return covered;
}

function scopeKey(scope: Scope): string {
  switch (scope.kind) {
    case 'fleet':
      return 'fleet';
    case 'hub':
      return `hub:${scope.host}`;
    case 'policy':
      return `policy:${scope.name}`;
  }
}

function trusting(seen: Seen, name: string): Seen {
  return Object.fromEntries(
    Object.entries(seen).map(([content, entry]) => [
      content,
      entry.name === name && entry.leftAt === undefined ? { ...entry, isTrusted: true } : entry,
    ]),
  );
}

function without<Value>(record: Readonly<Record<string, Value>>, key: string): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}
