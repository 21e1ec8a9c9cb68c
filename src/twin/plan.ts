import { evaluateCondition, type Variables, variablesOf } from '../fleet/expression.ts';
import type { Hub, Policy, Twins } from '../fleet/fleet.ts';
import { fillTemplate } from '../fleet/template.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import { twinProblems } from './limits.ts';
import { mergePatch, nest, valueAt } from './merge.ts';
import { historyOf, type OwnWrite, type PathHistory, type Shadow, type TwinState } from './shadow.ts';
import { judgeLeaf, type LeafVerdict, type Verdict } from './verdict.ts';

/** One owned property and how it stands, for the device page. */
export interface PlannedLeaf {
  readonly path: string;
  readonly policy: string;
  readonly wanted: JsonValue;
  readonly verdict: Verdict;
  readonly why: string;
}

export interface Plan {
  readonly state: TwinState;
  /** One sentence about the worst leaf; empty when in sync. */
  readonly why: string;
  readonly leaves: readonly PlannedLeaf[];
  /** What to write, empty for nothing. */
  readonly writes: readonly OwnWrite[];
  /** The same as a twin patch of `properties.desired`. */
  readonly patch: JsonObject;
  /** The earliest time at which the twin must be looked at again, ms since the epoch. */
  readonly nextAt: number | undefined;
  /** The histories with what this look decided: rejections, fights. */
  readonly paths: Readonly<Record<string, PathHistory>>;
}

export interface PlanInput {
  readonly shadow: Shadow;
  readonly hub: Hub;
  readonly twins: Twins;
  /** Names of policies that an operator has paused: they own their paths, and nothing is written. */
  readonly pausedPolicies: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * What to do about a twin. Pure and level-based: it looks at the whole twin, not at what changed, so it may
 * run as often as one likes.
 */
export function plan({ shadow, hub, twins, pausedPolicies, now }: PlanInput): Plan {
  const variables = twinVariables(shadow, hub);
  if (!isInScope(twins, variables)) return nothing(shadow, 'inSync', 'outside of twins.scope');

  const paths: Record<string, PathHistory> = {};
  const leaves: PlannedLeaf[] = [];
  const writes: OwnWrite[] = [];
  const wakeUps: number[] = [];
  let desired = shadow.desired;

  for (const { policy, path, wanted } of ownedLeaves(shadow, twins.policies, variables)) {
    const judged = judgeLeaf({
      policy,
      wanted,
      desired: valueAt(shadow.desired, path),
      report: valueAt(shadow.reported, path),
      history: historyOf(shadow, path),
      desiredVersion: shadow.desiredVersion,
      fight: twins.fight,
      now,
    });
    const held = policy.mode !== 'enforce' || twins.held || pausedPolicies.has(policy.name);
    const verdict = held ? hold(judged) : fitsTwin(judged, desired, path, wanted, policy);
    paths[path.join('.')] = verdict.history;
    leaves.push({
      path: path.join('.'),
      policy: policy.name,
      wanted,
      verdict: verdict.verdict,
      why: verdict.why,
    });
    if (verdict.nextAt !== undefined) wakeUps.push(verdict.nextAt);
    if (verdict.write) {
      writes.push({ path, policy: policy.hash, value: wanted });
      desired = mergePatch(desired, nest(path, wanted));
    }
  }
  const worst = WORST_FIRST.map((state) => leaves.find(({ verdict }) => verdict === state)).find(Boolean);
  return {
    state: worst?.verdict ?? 'inSync',
    why: worst === undefined || worst.verdict === 'inSync' ? '' : `${worst.path} ${worst.why}`,
    leaves,
    writes,
    patch: writes.reduce<JsonObject>((patch, { path, value }) => addToPatch(patch, path, value), {}),
    nextAt: wakeUps.length === 0 ? undefined : Math.min(...wakeUps),
    paths: { ...shadow.paths, ...paths },
  };
}

const WORST_FIRST: readonly Verdict[] = ['fighting', 'rejected', 'drifted', 'pending'];

function nothing(shadow: Shadow, state: TwinState, why: string): Plan {
  return { state, why, leaves: [], writes: [], patch: {}, nextAt: undefined, paths: shadow.paths };
}

function isInScope(twins: Twins, variables: Variables): boolean {
  // Unknown is not true: a twin that Berth may perhaps not touch, it does not touch.
  return twins.scope === undefined || evaluateCondition(twins.scope, variables) === true;
}

interface OwnedLeaf {
  readonly policy: Policy;
  readonly path: readonly string[];
  readonly wanted: JsonValue;
}

/** First to last; the first policy that sets a path owns it. */
function ownedLeaves(
  shadow: Shadow,
  policies: readonly Policy[],
  variables: Variables,
): readonly OwnedLeaf[] {
  const owned = new Map<string, OwnedLeaf>();
  for (const policy of policies) {
    if (policy.module !== shadow.id.moduleId) continue;
    if (policy.when !== undefined && evaluateCondition(policy.when, variables) !== true) continue;
    for (const leaf of policy.leaves) {
      const key = leaf.path.join('.');
      if (owned.has(key)) continue;
      const wanted = fillTemplate(leaf.value, variables, []);
      // An object would merge with what is there instead of being the value, and unknown is no value.
      if (wanted === undefined || isObject(wanted)) continue;
      owned.set(key, { policy, path: leaf.path, wanted });
    }
  }
  return [...owned.values()];
}

function hold(verdict: LeafVerdict): LeafVerdict {
  const { nextAt: _, ...rest } = verdict;
  return { ...rest, write: false, why: verdict.write ? `${verdict.why}; the policy is held` : verdict.why };
}

/** A value that the hub would refuse is never sent: it would be refused again and again. */
function fitsTwin(
  verdict: LeafVerdict,
  desired: JsonObject,
  path: readonly string[],
  wanted: JsonValue,
  policy: Policy,
): LeafVerdict {
  if (!verdict.write) return verdict;
  const problem = twinProblems('desired', mergePatch(desired, nest(path, wanted)))[0];
  if (problem === undefined) return verdict;
  const why = `cannot be written: ${problem.path.join('.') || 'desired'} ${problem.message}`;
  return {
    verdict: 'rejected',
    why,
    write: false,
    history: { ...verdict.history, rejected: { policy: policy.hash, value: wanted, why } },
  };
}

/** Unlike applying a patch, building one keeps `null`. */
function addToPatch(patch: JsonObject, [key, ...rest]: readonly string[], value: JsonValue): JsonObject {
  if (key === undefined) return patch;
  if (rest.length === 0) return { ...patch, [key]: value };
  const below = patch[key];
  return { ...patch, [key]: addToPatch(isObject(below) ? below : {}, rest, value) };
}

/** What policies see. */
function twinVariables({ id, tags, desired, reported }: Shadow, hub: Hub): Variables {
  const { deviceId, moduleId = null } = id;
  return { ...variablesOf({ deviceId, moduleId, tags, desired, reported }), hub: hub.facts };
}
