import * as z from 'zod';
import type { Policy, Rollout } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { hash } from '../json/hash.ts';
import type { Hold } from '../twin/plan/plan.ts';

/*
 * What every writer obeys: pauses, and when each policy was first seen. One row in the state tables holds it; here
 * is what it means. Pure.
 */

const pauseSchema = z.object({
  author: z.string(),
  reason: z.string(),
  at: z.number(),
  /** Of a policy that paused itself: the hash of the content that was rejected. */
  content: z.string().optional(),
});

const intervalSchema = z.object({ from: z.number(), to: z.number() });

const policySeenSchema = z.object({
  name: z.string(),
  /** When this content was first seen, ms since the epoch: its ramp begins there. */
  since: z.number(),
  /** When it was found to be in no fleet file any more. */
  leftAt: z.number().optional(),
  /** When it was in no fleet file, before it came back: that time does not count for its ramp. */
  away: z.array(intervalSchema).optional(),
  /** A person has resumed it after it paused itself: it does not do so again. */
  isTrusted: z.boolean().optional(),
});

const pastPauseSchema = intervalSchema.extend({
  scope: z.string(),
  /** Who paused, and why. */
  author: z.string().optional(),
  reason: z.string().optional(),
  /** As in a pause. */
  content: z.string().optional(),
  /** Who ended it, and why. */
  resumed: z.object({ author: z.string(), reason: z.string() }).optional(),
});

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
  /** Modules that policies target, and since when, ms since the epoch: before that their events were passed over. */
  modules: z.record(z.string(), z.number()).default({}),
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
/** A pause that is over. */
export type PastPause = z.output<typeof pastPauseSchema>;
export type Control = z.output<typeof controlSchema>;

/** What a pause is about. */
export type Scope =
  | { readonly kind: 'fleet' }
  | { readonly kind: 'hub'; readonly host: HostName }
  | { readonly kind: 'policy'; readonly name: string };

/** Who pauses a policy that too many devices reject. */
export const SELF = 'Berth';

/**
 * A policy that comes back within this time goes on with its ramp where that stood: so a rollback takes effect at once
 * wherever the policy had been.
 */
const REMEMBERED_MS = 7 * 24 * 60 * 60_000;
/** More pauses than anybody remembers; the oldest are forgotten first. */
const MAX_PAST_PAUSES = 500;

/** Why a hub may not be written now, or undefined. */
export function pauseOf(control: Control, host: HostName): Pause | undefined {
  return control.fleet ?? pauseFor(control, { kind: 'hub', host });
}

/** The control row with a pause; the first one of a scope stays. */
export function withPause(control: Control, scope: Scope, pause: Pause): Control {
  if (pauseFor(control, scope) !== undefined) return control;
  switch (scope.kind) {
    case 'fleet':
      return { ...control, fleet: pause };
    case 'hub':
      return { ...control, hubs: { ...control.hubs, [scope.host]: pause } };
    case 'policy':
      return { ...control, policies: { ...control.policies, [scope.name]: pause } };
  }
}

/**
 * The control row without a pause, which is remembered: paused time does not count for ramps.
 *
 * @param by who ends it, when and why.
 */
export function withoutPause(control: Control, scope: Scope, by: Pause): Control {
  const pause = pauseFor(control, scope);
  if (pause === undefined) return control;
  const { at: from, ...began } = pause;
  const { at: to, author, reason } = by;
  const past: PastPause = { ...began, scope: scopeKey(scope), from, to, resumed: { author, reason } };
  const pastPauses = [...control.pastPauses, past].slice(-MAX_PAST_PAUSES);
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
        seen: pause.content === undefined ? control.seen : trusting(control.seen, pause.content),
        // What the policy held is due nowhere.
        generation: control.generation + 1,
        changedAt: by.at,
      };
  }
}

/** Whether this content of a policy has been resumed by a person after it paused itself: it does not do so again. */
export function isTrusted(control: Control, { hash: content }: Pick<Policy, 'hash'>): boolean {
  return own(control.seen, content)?.isTrusted === true;
}

/** The control row in which a hub's events are trusted: a person has everything of it read again. */
export function withEventsTrusted(control: Control, host: HostName): Control {
  return Object.hasOwn(control.untrusted, host)
    ? { ...control, untrusted: without(control.untrusted, host) }
    : control;
}

/** The pause that ended last, where it is remembered. */
export function lastPauseOf({ pastPauses }: Control, scope: Scope): PastPause | undefined {
  const key = scopeKey(scope);
  return pastPauses.findLast((past) => past.scope === key);
}

export function pauseFor(control: Control, scope: Scope): Pause | undefined {
  switch (scope.kind) {
    case 'fleet':
      return control.fleet;
    case 'hub':
      return own(control.hubs, scope.host);
    case 'policy':
      return own(control.policies, scope.name);
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
  policies: readonly Pick<Policy, 'name' | 'hash' | 'module'>[] | undefined,
  now: number,
): Control {
  if (build < control.newestBuild) return control;
  const seen = policies === undefined ? control.seen : policiesSeen(control.seen, policies, now);
  if (seen === control.seen && build === control.newestBuild) return control;
  const modules = policies === undefined ? control.modules : modulesTargeted(control.modules, policies, now);
  return { ...control, newestBuild: build, seen, modules, changedAt: now };
}

function modulesTargeted(
  before: Control['modules'],
  policies: readonly Pick<Policy, 'module'>[],
  now: number,
): Control['modules'] {
  const names = new Set(policies.flatMap(({ module }) => module ?? []));
  return Object.fromEntries([...names].map((name) => [name, own(before, name) ?? now]));
}

type Seen = Control['seen'];
type PolicySeen = Seen[string];

function policiesSeen(seen: Seen, policies: readonly Pick<Policy, 'name' | 'hash'>[], now: number): Seen {
  const names = new Map(policies.map(({ hash: content, name }) => [content, name]));
  const next: Seen = {};
  let isChanged = false;
  for (const [content, entry] of Object.entries(seen)) {
    const found = seenAgain(entry, names.has(content), now);
    if (found !== undefined) next[content] = found;
    if (found !== entry) isChanged = true;
  }
  for (const [content, name] of names) {
    if (Object.hasOwn(next, content)) continue;
    next[content] = { name, since: now };
    isChanged = true;
  }
  return isChanged ? next : seen;
}

/** A policy's entry when it is found to be in the fleet file, or not to be; undefined: it is forgotten. */
function seenAgain(entry: PolicySeen, isHere: boolean, now: number): PolicySeen | undefined {
  const { leftAt, away = [], ...rest } = entry;
  if (leftAt === undefined) return isHere ? entry : { ...entry, leftAt: now };
  if (now - leftAt > REMEMBERED_MS) return undefined;
  return isHere ? { ...rest, away: [...away, { from: leftAt, to: now }] } : entry;
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
  // The first whole millisecond in which `turn < elapsed`.
  return { why: 'the ramp of the policy has not reached it', until: now - elapsed + Math.floor(turn) + 1 };
}

/**
 * How long a policy's ramp has run on a hub (undefined: where no hub is paused), ms, without the time in which it was
 * paused or in no fleet file. Undefined: it has not begun.
 */
export function elapsedOf(
  control: Control,
  { name, hash: content }: Pick<Policy, 'name' | 'hash'>,
  host: HostName | undefined,
  now: number,
): number | undefined {
  const seen = own(control.seen, content);
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

/** What a person has resumed is vouched for only while it is what runs. */
function trusting(seen: Seen, content: string): Seen {
  const entry = own(seen, content);
  if (entry === undefined || entry.leftAt !== undefined) return seen;
  return { ...seen, [content]: { ...entry, isTrusted: true } };
}

/** Policies and hubs may be named as what every object has. */
function own<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function without<Value>(record: Readonly<Record<string, Value>>, key: string): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}
