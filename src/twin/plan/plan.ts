import { evaluateCondition, type Variables } from '../../fleet/expressions/expression.ts';
import { readable } from '../../fleet/expressions/expression-value.ts';
import { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Hub, Policy, PolicyMode, Twins } from '../../fleet/fleet.ts';
import type { JsonObject, JsonValue } from '../../json/json.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { valueAt } from '../snapshot/merge.ts';
import {
  historyAt,
  NO_HISTORY,
  type OwnWrite,
  type PathHistory,
  type PolicyStatus,
  type Snapshot,
  type TwinStatus,
} from '../snapshot/snapshot.ts';
import { COMPONENT_MARKER, componentsOf, rewrittenWithMarker } from './components.ts';
import { type OwnedLeaf, ownedLeaves } from './ownership.ts';
import { patchOf, type Write } from './patch.ts';
import { type LeafStatus, leafStatus, type PropertyStatus } from './property-status.ts';
import { whatDoesNotFit } from './room.ts';

/** One owned property and how it stands, for the device page. */
export interface PlannedLeaf {
  readonly path: string;
  readonly policy: string;
  readonly mode: PolicyMode;
  readonly wanted: JsonValue;
  readonly status: PropertyStatus;
  readonly why: string;
  /** Why what would be written is not; undefined: nothing is held. */
  readonly held: string | undefined;
  /** When it is looked at again even if nothing happens. */
  readonly nextAt: EpochMs | undefined;
  /** When the hub is asked whether the device is alive. */
  readonly askAt: EpochMs | undefined;
}

export interface Plan {
  readonly status: TwinStatus;
  /** One sentence about the worst leaf; empty when in sync. */
  readonly why: string;
  readonly leaves: readonly PlannedLeaf[];
  /** What to write, empty for nothing. */
  readonly writes: readonly OwnWrite[];
  /** The same as a twin patch of `properties.desired`. */
  readonly patch: JsonObject;
  /** The earliest time at which the twin must be looked at again. */
  readonly nextAt: EpochMs | undefined;
  /** The earliest time at which the hub must be asked whether the device is alive. */
  readonly askAt: EpochMs | undefined;
  /** The histories with what this look decided: rejections, fights. */
  readonly paths: Readonly<Record<string, PathHistory>>;
  /** How each policy that owns something here stands. */
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  /** Everything that differs is held back. */
  readonly isHeld: boolean;
}

/** Why a policy may not write to a twin yet, and until when (undefined: until it is resumed). */
export interface Hold {
  readonly why: string;
  readonly until: EpochMs | undefined;
}

export interface TwinPlanInput {
  readonly snapshot: Snapshot;
  readonly hub: Hub;
  readonly twins: Twins;
  /** What keeps a policy from this twin: a pause, or a rollout that has not reached it. It owns its paths all the same. */
  holdOf(policy: Policy): Hold | undefined;
  readonly now: EpochMs;
  /** How many properties may be written at once; all, where it is left out. */
  readonly mostWrites?: number;
}

/**
 * What to do about a twin. Pure and level-based: it looks at the whole twin, not at what changed, so it may
 * run as often as one likes.
 *
 * @param work counts what the expressions do at this look
 */
export function plan(input: TwinPlanInput, work: ExpressionWork = new ExpressionWork()): Plan {
  const { snapshot, hub, twins, mostWrites = Number.POSITIVE_INFINITY } = input;
  if (twins.policies.length === 0) return nothing(snapshot, '');
  const variables = twinVariables(snapshot, hub);
  if (!isInScope(twins, variables, work)) return nothing(snapshot, 'outside of twins.scope');

  const holdOf = remembered((policy) => input.holdOf(policy));
  const owned = ownedLeaves(snapshot, twins.policies, variables, work);
  const isComponent = componentsOf(snapshot, owned, twins.components);
  const withStatus = owned.map((leaf) => {
    const before = historyOrFirst(snapshot, leaf);
    const marked = rewrittenWithMarker(
      leaf,
      statusOfLeaf(leaf, before, input),
      snapshot.desired,
      isComponent,
    );
    return { leaf, before, status: holdBack(marked, leaf.policy, holdOf) };
  });
  const unfit = whatDoesNotFit(
    snapshot.desired,
    withStatus.filter(({ status }) => status.write).map(({ leaf }) => leaf),
    isComponent,
  );
  const changed: [string, PathHistory][] = [];
  const leaves: PlannedLeaf[] = [];
  const writes: Write[] = [];
  const policies: Record<string, PolicyStatus> = {};
  for (const { leaf, before, status: found } of withStatus) {
    const { policy, path, key, wanted, report } = leaf;
    const problem = unfit.get(leaf);
    const { status, why, held, write, history, nextAt, askAt } =
      problem === undefined ? found : { ...found, ...refused(problem) };
    if (history !== before || !Object.hasOwn(snapshot.paths, key)) changed.push([key, history]);
    const { name, mode } = policy;
    leaves.push({ path: key, policy: name, mode, wanted, status, why, held, nextAt, askAt });
    policies[policy.id] = worse(policies[policy.id], policyStatusOf(found, policy, holdOf, status));
    if (write && writes.length < mostWrites)
      writes.push({ path, policy: policy.hash, by: policy.name, value: wanted, wholeAt: report?.depth });
  }
  const worst = worstOf(leaves);
  const twinStatus = worst?.status ?? 'inSync';
  return {
    status: twinStatus,
    why: worst === undefined ? '' : `${worst.path} ${reasonOf(worst)}`,
    leaves,
    writes: writes.map(({ wholeAt: _, ...write }) => write),
    patch: writes.length === 0 ? {} : patchOf(snapshot, writes, isComponent),
    nextAt: earliest(leaves.map(({ nextAt }) => nextAt)),
    askAt: earliest(leaves.map(({ askAt }) => askAt)),
    paths: changed.length === 0 ? snapshot.paths : { ...snapshot.paths, ...Object.fromEntries(changed) },
    policies,
    isHeld: leaves.every(({ status, held }) => status !== 'drifted' || held !== undefined),
  };
}

/** The worst last. */
const POLICY_STATUSES: readonly PolicyStatus[] = [
  'unreached',
  'inSync',
  'pending',
  'held',
  'drifted',
  'rejected',
  'contested',
];

function policyStatusOf(
  { held }: HeldLeafStatus,
  policy: Policy,
  holdOf: (policy: Policy) => Hold | undefined,
  status: PropertyStatus,
): PolicyStatus {
  if (held !== undefined) return 'held';
  // What the rollout has not reached is as it is by chance, and says nothing about how the policy is taken.
  const isReached = policy.mode === 'observe' || holdOf(policy)?.until === undefined;
  return isReached ? status : 'unreached';
}

/** Of a path that was not looked after before, nobody knows since when it is as it is: since now, at the latest. */
function historyOrFirst(snapshot: Snapshot, { key, report }: OwnedLeaf): PathHistory {
  return Object.hasOwn(snapshot.paths, key)
    ? historyAt(snapshot.paths, key)
    : {
        ...NO_HISTORY,
        ours: snapshot.desiredVersion,
        oursAt: snapshot.asOf,
        before: report?.value,
      };
}

function isWorse(one: PolicyStatus, other: PolicyStatus): boolean {
  return one !== other && POLICY_STATUSES.indexOf(one) > POLICY_STATUSES.indexOf(other);
}

function worse(one: PolicyStatus | undefined, other: PolicyStatus): PolicyStatus {
  return one !== undefined && isWorse(one, other) ? one : other;
}

/** The first of the worst leaves; undefined where all are in sync. */
function worstOf(leaves: readonly PlannedLeaf[]): PlannedLeaf | undefined {
  let worst: PlannedLeaf | undefined;
  for (const leaf of leaves) if (isWorse(leaf.status, worst?.status ?? 'inSync')) worst = leaf;
  return worst;
}

function statusOfLeaf(
  { policy, wanted, path, report, compare, isLeaving }: OwnedLeaf,
  history: PathHistory,
  input: TwinPlanInput,
): LeafStatus {
  const { snapshot, twins, now } = input;
  // The marker of a component says nothing about what a device does.
  const isMarker = path.at(-1) === COMPONENT_MARKER;
  return leafStatus({
    policy: isMarker || isLeaving ? { ...policy, ...(isLeaving ? LEAVING : MARKED) } : policy,
    wanted,
    desired: valueAt(snapshot.desired, path),
    report: isMarker ? undefined : report,
    compare,
    history,
    desiredVersion: snapshot.desiredVersion,
    life: snapshot,
    fight: twins.fight,
    now,
  });
}

const MARKED = { confirm: false } as const;
/** What is left behind is taken away, whatever the policy did while it was there. */
const LEAVING = { mode: 'enforce' } as const;

type HeldLeafStatus = LeafStatus & { readonly held?: string };

/** What may not be written is not; the verdict stays, and what would have been done is said. */
function holdBack(
  status: LeafStatus,
  policy: Policy,
  holdOf: (policy: Policy) => Hold | undefined,
): HeldLeafStatus {
  if (status.status !== 'drifted' && !status.write) return status;
  const hold = policy.mode === 'observe' ? OBSERVED : holdOf(policy);
  if (hold === undefined) return status;
  const { nextAt: _, askAt: __, ...rest } = status;
  return {
    ...rest,
    write: false,
    held: hold.why,
    ...(hold.until === undefined ? {} : { nextAt: hold.until }),
  };
}

const OBSERVED: Hold = { why: 'the policy only observes', until: undefined };

function reasonOf({ why, held }: PlannedLeaf): string {
  return held === undefined ? why : `${why}; ${held}`;
}

function earliest(times: readonly (EpochMs | undefined)[]): EpochMs | undefined {
  let first: EpochMs | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}

function remembered(ask: (policy: Policy) => Hold | undefined): (policy: Policy) => Hold | undefined {
  const known = new Map<Policy, Hold | undefined>();
  return (policy) => {
    if (!known.has(policy)) known.set(policy, ask(policy));
    return known.get(policy);
  };
}

function nothing(snapshot: Snapshot, why: string): Plan {
  return {
    status: 'inSync',
    why,
    leaves: [],
    writes: [],
    patch: {},
    nextAt: undefined,
    askAt: undefined,
    paths: snapshot.paths,
    policies: {},
    isHeld: true,
  };
}

function isInScope(twins: Twins, variables: Variables, work: ExpressionWork): boolean {
  // Unknown is not true: a twin that Berth may perhaps not touch, it does not touch.
  return twins.scope === undefined || evaluateCondition(twins.scope, variables, work) === true;
}

function refused(
  why: string,
): Pick<LeafStatus, 'status' | 'why' | 'write'> & { nextAt: undefined; askAt: undefined } {
  return { status: 'rejected', why, write: false, nextAt: undefined, askAt: undefined };
}

/** What policies see. */
function twinVariables({ id, tags, desired, reported }: Snapshot, hub: Hub): Variables {
  const { deviceId, moduleId = null } = id;
  return {
    deviceId,
    moduleId,
    hub: hub.facts,
    tags: readable(tags),
    desired: readable(desired),
    reported: readable(reported),
  };
}
