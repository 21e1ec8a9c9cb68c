import { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Hub, Policy, PolicyMode, Twins } from '../../fleet/fleet.ts';
import type { JsonObject, JsonValue } from '../../json/json.ts';
import type { ContentChoice, Hold, RolloutDevice } from '../../rollout/content-choice.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { sameValue } from '../answers/compare.ts';
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
import { type Contents, isChangedSince } from './contents.ts';
import { type DrainOfDevice, planMoveRequest } from './move-request.ts';
import { ownedContents } from './owned-contents.ts';
import { matchOf, type OwnedLeaf } from './ownership.ts';
import { patchOf, type Write } from './patch.ts';
import { type LeafStatus, leafStatus, type PropertyStatus } from './property-status.ts';
import { type PlannedRollout, rolloutStatuses } from './rollout-statuses.ts';
import { whatDoesNotFit } from './room.ts';
import { isInScope, twinVariables } from './twin-variables.ts';

/** One owned property and its status, for `GET /api/devices`. */
export interface PlannedLeaf {
  readonly path: string;
  readonly policy: string;
  readonly mode: PolicyMode;
  readonly wanted: JsonValue;
  readonly status: PropertyStatus;
  readonly why: string;
  /** Why the correction is held. Undefined: it is not. */
  readonly held: string | undefined;
  /** When the twin is reconciled again because of this property, even without an event. */
  readonly nextAt: EpochMs | undefined;
  /** When Berth asks the hub whether the device is alive. */
  readonly askAt: EpochMs | undefined;
}

export interface Plan {
  readonly status: TwinStatus;
  /** One sentence about the property with the worst status. Empty if all are in sync. */
  readonly why: string;
  readonly leaves: readonly PlannedLeaf[];
  /** What to write now. */
  readonly writes: readonly OwnWrite[];
  /** The same as a patch of `properties.desired`. */
  readonly patch: JsonObject;
  /** The earliest time at which the twin must be reconciled again. */
  readonly nextAt: EpochMs | undefined;
  /** The earliest time at which Berth must ask the hub whether the device is alive. */
  readonly askAt: EpochMs | undefined;
  /** The histories after this plan, with new rejections and contested properties. */
  readonly paths: Readonly<Record<string, PathHistory>>;
  /** The status of each policy that owns a property of this twin. */
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  /** The stage of the twin in each rollout in stages that is not complete. */
  readonly stages: Readonly<Record<string, string>>;
  /** The contents of rollouts that have reached the twin and own no property there, by the beginning of the hash. */
  readonly reached: readonly string[];
  /** What the twin gets of each policy whose rollout is not complete. */
  readonly rollouts: readonly PlannedRollout[];
  /** Every drifted property is held. */
  readonly isHeld: boolean;
}

export interface TwinPlanInput {
  readonly snapshot: Snapshot;
  readonly hub: Hub;
  readonly twins: Twins;
  /** Why a policy may not write to this twin now: a pause. It still owns its paths. */
  holdOf(policy: Policy): Hold | undefined;
  /** What the twin gets of a policy: a rollout may not have reached it. Default: the content of the fleet file. */
  contentOf?(policy: Policy, device: RolloutDevice): ContentChoice;
  /** What the drain of the hub means for the device. Undefined: not known, so its move request stays as it is. */
  readonly drain?: DrainOfDevice | undefined;
  readonly now: EpochMs;
  /** How many properties may be written at once. Default: all. */
  readonly mostWrites?: number;
}

/**
 * What to write to a twin. Pure. The plan depends on the whole twin and not on the last change, so it can be made at any
 * time and repeated.
 *
 * @param work counts the steps of the expressions of this plan
 */
export function plan(input: TwinPlanInput, work: ExpressionWork = new ExpressionWork()): Plan {
  const { snapshot, hub, twins, mostWrites = Number.POSITIVE_INFINITY } = input;
  if (twins.policies.length === 0 && twins.moveRequest === undefined) return nothing(snapshot, '');
  const variables = twinVariables(snapshot, hub);
  if (!isInScope(twins, variables, work)) return nothing(snapshot, 'outside of twins.scope');

  const { contents, owned: ofPolicies } = ownedContents(input, variables, work);
  const holdOf = remembered((policy) => input.holdOf(policy) ?? contents.holds.get(policy));
  const request = planMoveRequest(snapshot, hub, twins, input.drain, input.now);
  const owned = [...ofPolicies, ...(request.leaf === undefined ? [] : [request.leaf])];
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
    snapshot,
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
    policies[policy.id] = worse(
      policies[policy.id],
      policyStatusOf(found, policy, holdOf, contents.holds, status),
    );
    if (write && writes.length < mostWrites) {
      const replaces = replacedValue(snapshot, leaf, history, contents);
      const value = { path, policy: policy.hash, by: policy.name, value: wanted };
      writes.push({ ...value, ...(replaces === undefined ? {} : { replaces }), wholeAt: report?.depth });
    }
  }
  const paths = changed.length === 0 ? snapshot.paths : { ...snapshot.paths, ...Object.fromEntries(changed) };
  const { moveRequest } = twins;
  if (request.status !== undefined && moveRequest !== undefined) {
    const { id } = moveRequest.policy;
    const ofProperty = policies[id] ?? 'inSync';
    policies[id] = ofProperty === 'inSync' ? request.status : ofProperty;
  }
  const rollouts = rolloutStatuses(contents, policies, paths, input, (policy) => {
    return matchOf(policy, variables, work) === true;
  });
  const worst = worstOf(leaves);
  const twinStatus = worst?.status ?? 'inSync';
  return {
    status: twinStatus,
    why: worst === undefined ? '' : `${worst.path} ${reasonOf(worst)}`,
    leaves,
    writes: writes.map(({ wholeAt: _, ...write }) => write),
    patch: writes.length === 0 ? {} : patchOf(snapshot, writes, isComponent),
    nextAt: earliest([...leaves.map(({ nextAt }) => nextAt), ...rollouts.nextAt, request.nextAt]),
    askAt: earliest([...leaves.map(({ askAt }) => askAt), ...rollouts.askAt, request.askAt]),
    paths,
    policies: { ...policies, ...rollouts.policies },
    stages: rollouts.stages,
    reached: rollouts.reached,
    rollouts: rollouts.rollouts,
    isHeld: leaves.every(({ status, held }) => status !== 'drifted' || held !== undefined),
  };
}

/** From the best to the worst. */
const FROM_BEST_TO_WORST: readonly PolicyStatus[] = [
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
  holds: Contents['holds'],
  status: PropertyStatus,
): PolicyStatus {
  if (held !== undefined) return 'held';
  // Before the rollout reaches the twin, its status says nothing about the policy.
  const isReached = policy.mode === 'observe' || (holdOf(policy)?.until === undefined && !holds.has(policy));
  return isReached ? status : 'unreached';
}

/** The history of a path. For a path without a history, the time of its value is unknown: at the latest `asOf`. */
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
  return one !== other && FROM_BEST_TO_WORST.indexOf(one) > FROM_BEST_TO_WORST.indexOf(other);
}

function worse(one: PolicyStatus | undefined, other: PolicyStatus): PolicyStatus {
  return one !== undefined && isWorse(one, other) ? one : other;
}

/** The first property with the worst status. Undefined: all are in sync. */
function worstOf(leaves: readonly PlannedLeaf[]): PlannedLeaf | undefined {
  let worst: PlannedLeaf | undefined;
  for (const leaf of leaves) if (isWorse(leaf.status, worst?.status ?? 'inSync')) worst = leaf;
  return worst;
}

function statusOfLeaf(
  { policy, wanted, path, report, compare, isLeaving, restores, problem }: OwnedLeaf,
  history: PathHistory,
  input: TwinPlanInput,
): LeafStatus {
  const { snapshot, twins, now } = input;
  if (problem !== undefined) return { status: 'contested', why: problem, write: false, history };
  const desired = valueAt(snapshot.desired, path);
  if (
    restores !== undefined &&
    isChangedSince(history, restores) &&
    !sameValue(desired ?? null, wanted, compare)
  ) {
    return { status: 'contested', why: CHANGED_SINCE, write: false, history };
  }
  // A device does not report the marker of a component, so it needs no answer.
  const isMarker = path.at(-1) === COMPONENT_MARKER;
  return leafStatus({
    policy: isMarker || isLeaving ? { ...policy, ...(isLeaving ? LEAVING : MARKED) } : policy,
    wanted,
    desired,
    report: isMarker ? undefined : report,
    compare,
    history,
    desiredVersion: snapshot.desiredVersion,
    life: snapshot,
    fight: twins.fight,
    now,
  });
}

const CHANGED_SINCE =
  'was changed by another writer after the rollout that was rolled back, so Berth leaves it';

const MARKED = { confirm: false } as const;
/** A leaving policy removes its values, whatever its mode was. */
const LEAVING = { mode: 'enforce' } as const;

type HeldLeafStatus = LeafStatus & { readonly held?: string };

/** Holds a write that is not allowed now. The status stays. */
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
    stages: {},
    reached: [],
    rollouts: [],
    isHeld: true,
  };
}

/**
 * The desired value that the first write of a content replaces, for a rollback. Undefined: it is not the first write, or the
 * policy has no rollout.
 */
function replacedValue(
  { desired }: Snapshot,
  { policy, path, isLeaving }: OwnedLeaf,
  { replaced }: PathHistory,
  { choices }: Contents,
): JsonValue | undefined {
  if (policy.rollout === undefined || isLeaving || replaced?.policy === policy.hash) return undefined;
  // An earlier content that corrects a drift does not begin a rollout.
  const isPresent = choices.some(([each]) => each === policy);
  return isPresent ? (valueAt(desired, path) ?? null) : undefined;
}

function refused(
  why: string,
): Pick<LeafStatus, 'status' | 'why' | 'write'> & { nextAt: undefined; askAt: undefined } {
  return { status: 'rejected', why, write: false, nextAt: undefined, askAt: undefined };
}
