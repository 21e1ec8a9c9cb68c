import type { Rollout, RolloutContent } from '../fleet/rollout.ts';
import { leastTime } from '../fleet/rollout.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { ownEntry } from '../json/json.ts';
import { decideGate, type GateDecision, type StageCounts } from '../rollout/gate.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { type Control, type RolloutState, SELF } from './control.ts';
import { elapsedSince } from './elapsed.ts';
import { pauseFor } from './pauses.ts';
import { type PresentStage, presentStage, stageAfter } from './present-stage.ts';
import { approvalOf, NOT_BEGUN, withRollout, withStage } from './rollout-state.ts';
import { sumOfCounts } from './stage-counts.ts';

/** What is known of the twins of a rollout. */
export interface RolloutFacts {
  /** The devices of one stage. */
  countsOf(policy: RolloutContent, stage: string): StageCounts;
  /**
   * When the oldest of these counts was made, if every twin was planned with the present row before. Undefined: the counts
   * are not complete.
   */
  readonly countedAt: EpochMs | undefined;
  /** The hubs of the deployment. Paused time of a hub counts for its own twins only. */
  readonly hosts: readonly HostName[];
}

/** What changed in a rollout, for the log. */
export interface RolloutChange {
  readonly kind: 'begins' | 'complete' | 'failed' | 'needsApproval';
  readonly policy: string;
  readonly stage: string;
  readonly why: string;
}

export interface Advanced {
  readonly control: Control;
  readonly changes: readonly RolloutChange[];
}

/** The control row after the rollouts of these policies have advanced by what is known of the twins. */
export function advanceRollouts(
  control: Control,
  policies: readonly RolloutContent[],
  facts: RolloutFacts,
  now: EpochMs,
): Advanced {
  const changes: RolloutChange[] = [];
  const next = policies.reduce((row, policy) => {
    const advanced = advanceOne(row, policy, facts, now);
    if (advanced.change !== undefined) changes.push(advanced.change);
    return advanced.control;
  }, control);
  return { control: next, changes };
}

interface AdvancedOne {
  readonly control: Control;
  readonly change?: RolloutChange;
}

function advanceOne(
  control: Control,
  policy: RolloutContent,
  facts: RolloutFacts,
  now: EpochMs,
): AdvancedOne {
  const { rollout, hash: content, name } = policy;
  const state = ownEntry(control.rollouts, content) ?? NOT_BEGUN;
  if (rollout === undefined || !Object.hasOwn(control.seen, content)) return { control };
  if (control.fleet !== undefined || pauseFor(control, { kind: 'policy', name }) !== undefined)
    return { control };
  if (state.end !== undefined) return { control: advanceRollback(control, policy, rollout, now) };
  if (state.pause !== undefined) return { control };
  const present = presentStage(control, policy, rollout);
  switch (present.kind) {
    case 'waiting':
      return begin(control, policy, state, present, now);
    case 'running':
      return rollout.isShort
        ? { control: advanceShort(control, policy, rollout, present, facts, now) }
        : advanceNamed(control, { policy, rollout, state, present, facts, now });
    default:
      return { control };
  }
}

/** A stage that waits begins now, or after its approval. */
function begin(
  control: Control,
  policy: RolloutContent,
  state: RolloutState,
  { stage, needsApproval }: Extract<PresentStage, { kind: 'waiting' }>,
  now: EpochMs,
): AdvancedOne {
  if (needsApproval !== undefined && approvalOf(state, stage) === undefined)
    return waiting(control, policy, state, { stage, why: needsApproval });
  const why =
    needsApproval === undefined ? 'it is the first stage of the file that is not done' : 'it is approved';
  const change: RolloutChange = { kind: 'begins', policy: policy.name, stage, why };
  return { control: withRollout(control, policy.hash, withStage(state, stage, now), now), change };
}

/** A rollout with `over` is complete after this time. */
function advanceShort(
  control: Control,
  policy: RolloutContent,
  { stages: [stage] }: Rollout,
  { since }: Extract<PresentStage, { kind: 'running' }>,
  { hosts }: RolloutFacts,
  now: EpochMs,
): Control {
  const isOver = hosts.every((host) => elapsedSince(control, policy, since, host, now) >= stage.overMs);
  if (!isOver) return control;
  const state = ownEntry(control.rollouts, policy.hash) ?? NOT_BEGUN;
  return { ...control, rollouts: { ...control.rollouts, [policy.hash]: { ...state, completedAt: now } } };
}

interface Running {
  readonly policy: RolloutContent;
  readonly rollout: Rollout;
  readonly state: RolloutState;
  readonly present: Extract<PresentStage, { kind: 'running' }>;
  readonly facts: RolloutFacts;
  readonly now: EpochMs;
}

/**
 * The first stage runs without an entry in the row. Its name is stored, so that another first stage of a later file does not
 * take over its time.
 */
function advanceNamed(control: Control, running: Running): AdvancedOne {
  const { policy, state, present } = running;
  if (state.stage !== undefined) return advanceStage(control, running);
  const named = { ...state, stage: { name: present.name, since: present.since } };
  return advanceStage(withoutResync(control, policy, named), { ...running, state: named });
}

function advanceStage(control: Control, running: Running): AdvancedOne {
  const { policy, rollout, state, present, facts, now } = running;
  const { stages, onFailure } = rollout;
  const stage = stages[present.index];
  if (stage === undefined || facts.countedAt === undefined || facts.countedAt <= present.since)
    return { control };
  const next = stageAfter(rollout, state, present.index);
  const decision = presentGate(control, policy, rollout, (name) => facts.countsOf(policy, name), now);
  if (decision === undefined) return { control };
  const { name } = policy;
  switch (decision.kind) {
    case 'wait': {
      if (state.waitsFor === undefined) return { control };
      return { control: withoutResync(control, policy, { ...state, waitsFor: undefined }) };
    }
    case 'needsApproval':
      return waiting(control, policy, state, decision);
    case 'fail': {
      const act = { author: SELF, reason: decision.why, at: now };
      const failed: RolloutState =
        onFailure === 'rollback' && policy.settings === undefined
          ? { ...state, end: { ...act, kind: 'rolledBack' }, waitsFor: undefined }
          : { ...state, pause: { ...act, stage: stage.name }, waitsFor: undefined };
      const change: RolloutChange = { kind: 'failed', policy: name, stage: stage.name, why: decision.why };
      return { control: withRollout(control, policy.hash, failed, now), change };
    }
    case 'pass': {
      const done = [...state.done.filter((each) => each !== stage.name), stage.name];
      if (next === undefined) {
        const complete = { ...state, done, stage: undefined, waitsFor: undefined, completedAt: now };
        const change: RolloutChange = {
          kind: 'complete',
          policy: name,
          stage: stage.name,
          why: 'its gate passed',
        };
        return { control: withRollout(control, policy.hash, complete, now), change };
      }
      const begun = withStage({ ...state, done }, next.name, now);
      const change: RolloutChange = {
        kind: 'begins',
        policy: name,
        stage: next.name,
        why: `stage ${stage.name} is done`,
      };
      return { control: withRollout(control, policy.hash, begun, now), change };
    }
  }
}

/**
 * What the gate of the present stage says of these counts. Undefined: no stage runs.
 *
 * @param countsOf the devices of a stage, by its name
 */
export function presentGate(
  control: Control,
  policy: RolloutContent,
  rollout: Rollout,
  countsOf: (stage: string) => StageCounts,
  now: EpochMs,
): GateDecision | undefined {
  const { stages, gate } = rollout;
  const state = ownEntry(control.rollouts, policy.hash) ?? NOT_BEGUN;
  const present = presentStage(control, policy, rollout);
  const stage = present.kind === 'running' ? stages[present.index] : undefined;
  if (present.kind !== 'running' || stage === undefined) return undefined;
  const next = stageAfter(rollout, state, present.index);
  const counted = stages
    .slice(0, present.index + 1)
    .filter(({ name }) => !state.accepted.includes(name))
    .map(({ name }) => countsOf(name));
  return decideGate({
    stage,
    next,
    own: countsOf(stage.name),
    all: sumOfCounts(counted),
    gate,
    elapsedMs: elapsedSince(control, policy, present.since, undefined, now),
    isApproved: next !== undefined && approvalOf(state, next.name) !== undefined,
    isAccepted: state.accepted.includes(stage.name),
  });
}

/** A rollback in stages needs no gate: each stage begins after the least time of the one before. */
function advanceRollback(
  control: Control,
  policy: RolloutContent,
  { stages }: Rollout,
  now: EpochMs,
): Control {
  const state = ownEntry(control.rollouts, policy.hash);
  const end = state?.end;
  if (state === undefined || end?.stage === undefined) return control;
  const index = stages.findIndex(({ name }) => name === end.stage?.name);
  const stage = stages[index];
  if (
    stage !== undefined &&
    elapsedSince(control, policy, end.stage.since, undefined, now) < leastTime(stage)
  ) {
    return control;
  }
  // If the file no longer has the stage (its index is -1), the first one begins. Devices that went back stay so.
  const next = stages[index + 1];
  const isLast = next === undefined || index + 1 === stages.length - 1;
  const { stage: _, ...rest } = end;
  const after = isLast ? rest : { ...rest, stage: { name: next.name, since: now } };
  return withRollout(control, policy.hash, { ...state, end: after }, now);
}

function waiting(
  control: Control,
  policy: RolloutContent,
  state: RolloutState,
  { stage, why }: NonNullable<RolloutState['waitsFor']>,
): AdvancedOne {
  if (state.waitsFor?.stage === stage && state.waitsFor.why === why) return { control };
  return {
    control: withoutResync(control, policy, { ...state, waitsFor: { stage, why } }),
    change: { kind: 'needsApproval', policy: policy.name, stage, why },
  };
}

/** For a change that no twin sees. */
function withoutResync(control: Control, { hash: content }: RolloutContent, state: RolloutState): Control {
  return { ...control, rollouts: { ...control.rollouts, [content]: state } };
}
