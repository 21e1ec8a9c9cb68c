import type { Control, Pause } from '../control/control.ts';
import { pauseFor } from '../control/pauses.ts';
import type { Fleet, Hub, Policy, PolicyMode } from '../fleet/fleet.ts';
import { leastDuration } from '../fleet/rollout.ts';
import type { TwinStatus } from '../twin/snapshot/snapshot.ts';
import {
  changeOf,
  type PolicyChange,
  type PolicyRollout,
  policiesInForce,
  policyRolloutOf,
  removedPolicies,
} from './policy-change.ts';
import { APART, type Apart, type TwinTrial } from './try-twin.ts';
import {
  type FoundPatch,
  type FoundProblem,
  type HubTally,
  type StageTally,
  statusesOf,
  type TwinCounts,
} from './twin-tally.ts';
import { durationText, type WriteCost, writeCost } from './write-cost.ts';

/** The estimated effect of a fleet file on the stored twins. */
export interface TwinReport {
  readonly revision: string;
  readonly twins: {
    readonly planned: number;
    readonly apart: Readonly<Record<Apart, number>>;
  };
  readonly writes: {
    /** Twins that would be written, each with one PATCH. */
    readonly count: number;
    readonly properties: number;
    readonly messages: number;
    /**
     * The shortest time within the budget of the slowest hub; undefined if the budget never allows the
     * writes.
     */
    readonly hours: number | undefined;
    readonly slowest: string | undefined;
  };
  readonly hubs: readonly HubWrites[];
  /** In the order of the file, followed by the removed policies. */
  readonly policies: readonly PolicyReport[];
  readonly statuses: {
    readonly unchanged: number;
    /** The most twins first. */
    readonly changed: readonly {
      readonly from: TwinStatus;
      readonly to: TwinStatus;
      readonly count: number;
    }[];
  };
  /** The pause of the whole fleet, if there is one. */
  readonly paused: Pause | undefined;
  readonly warnings: readonly string[];
}

export interface HubWrites extends Readonly<HubTally> {
  readonly host: string;
  /** Undefined if the hub is not in the fleet file or belongs to another stamp. */
  readonly cost: WriteCost | undefined;
  readonly paused: Pause | undefined;
}

export interface PolicyReport {
  readonly name: string;
  readonly change: PolicyChange;
  /** Undefined if the policy was removed. */
  readonly mode: PolicyMode | undefined;
  readonly owned: number;
  readonly written: number;
  readonly held: number;
  readonly waiting: number;
  readonly rejected: number;
  readonly contested: number;
  /** Undefined if the policy was removed. */
  readonly rollout: PolicyRollout | undefined;
  /** The pause of this policy name, which also applies to new content. */
  readonly paused: Pause | undefined;
  /** The written twins by stage, in the order of the rollout. Empty without stages. */
  readonly stages: readonly (Readonly<StageTally> & { readonly name: string })[];
  readonly patches: readonly Omit<FoundPatch, 'key'>[];
  readonly problems: readonly Omit<FoundProblem, 'key'>[];
}

export function twinReportOf(tally: TwinCounts, trial: TwinTrial, control: Control): TwinReport {
  const hubs = hubsOf(tally, trial, control);
  const policies = policiesOf(tally, trial, control);
  const writing = hubs.filter(({ writes }) => writes > 0);
  const slowest = writing.reduce<HubWrites | undefined>(
    (one, other) => (one === undefined || hoursOf(other) > hoursOf(one) ? other : one),
    undefined,
  );
  const report = {
    revision: trial.fleet.revision,
    twins: { planned: sum(hubs, ({ planned }) => planned), apart: apartOf(hubs) },
    writes: {
      count: sum(hubs, ({ writes }) => writes),
      properties: sum(hubs, ({ properties }) => properties),
      messages: sum(hubs, ({ cost }) => cost?.messages ?? 0),
      hours: slowest === undefined ? 0 : slowest.cost?.hours,
      slowest: slowest?.host,
    },
    hubs,
    policies,
    statuses: statusesIn(tally),
    paused: control.fleet,
  };
  return { ...report, warnings: warningsOn(report, trial.fleet) };
}

function hubsOf({ hubs }: TwinCounts, { fleet, hosts }: TwinTrial, control: Control): readonly HubWrites[] {
  const inFile = fleet.hubs.filter(({ host }) => hosts.has(host));
  const others = [...hubs.keys()].filter((host) => !inFile.some((hub) => hub.host === host)).sort();
  const reportOf = (host: string, hub: Hub | undefined): HubWrites => {
    const tally = hubs.get(host) ?? { planned: 0, writes: 0, properties: 0, reads: 0, apart: {} };
    return {
      host,
      ...tally,
      apart: inOrder(tally.apart),
      cost: hub && writeCost(hub, tally.writes, tally.reads),
      paused: hub && pauseFor(control, { kind: 'hub', host: hub.host }),
    };
  };
  return [
    ...inFile.map((hub) => reportOf(hub.host, hub)),
    ...others.map((host) => reportOf(host, undefined)),
  ];
}

/** Counts in the order of the checks, whichever twin came first. */
function inOrder(apart: HubTally['apart']): HubTally['apart'] {
  return Object.fromEntries(APART.flatMap((why) => (apart[why] === undefined ? [] : [[why, apart[why]]])));
}

function policiesOf(tally: TwinCounts, trial: TwinTrial, control: Control): readonly PolicyReport[] {
  const { policies } = trial.fleet.twins;
  const before = trial.against?.twins.policies ?? policiesInForce(control);
  const reportOf = (name: string, change: PolicyChange, policy: Policy | undefined): PolicyReport => {
    const { patches = [], problems = [], stages, ...counts } = tally.policies.get(name) ?? {};
    return {
      name,
      change,
      mode: policy?.mode,
      ...NOTHING_OWNED,
      ...counts,
      rollout: policy && policyRolloutOf(control, policy, trial.now),
      paused: pauseFor(control, { kind: 'policy', name }),
      stages: (policy?.rollout?.stages ?? []).flatMap(({ name: stage }) => {
        const written = stages?.get(stage);
        return written === undefined ? [] : [{ name: stage, ...written }];
      }),
      patches: patches.map(({ key: _, ...patch }) => patch),
      problems: problems.map(({ key: _, ...problem }) => problem),
    };
  };
  return [
    ...policies.map((policy) => reportOf(policy.name, changeOf(policy, before), policy)),
    ...ownPolicies(tally, trial.fleet).map((policy) => reportOf(policy.name, 'unchanged', policy)),
    ...removedPolicies(policies, before).map((name) => reportOf(name, 'removed', undefined)),
  ];
}

/** Berth's own policy of move requests, if it owns a property of a twin. */
function ownPolicies(tally: TwinCounts, { twins: { moveRequest } }: Fleet): readonly Policy[] {
  return moveRequest !== undefined && tally.policies.has(moveRequest.policy.name) ? [moveRequest.policy] : [];
}

const NOTHING_OWNED = { owned: 0, written: 0, held: 0, waiting: 0, rejected: 0, contested: 0 };

function statusesIn({ statuses }: TwinCounts): TwinReport['statuses'] {
  const all = [...statuses].map(([key, count]) => ({ ...statusesOf(key), count }));
  const isChange = ({ from, to }: (typeof all)[number]) => from !== to;
  return {
    unchanged: sum(all, (each) => (isChange(each) ? 0 : each.count)),
    changed: all
      .filter(isChange)
      .sort((one, other) => other.count - one.count || (one.from + one.to < other.from + other.to ? -1 : 1)),
  };
}

function apartOf(hubs: readonly HubWrites[]): Readonly<Record<Apart, number>> {
  const counts = APART.map((why) => [why, sum(hubs, ({ apart }) => apart[why] ?? 0)] as const);
  return Object.fromEntries(counts) as Record<Apart, number>;
}

function warningsOn(
  { twins, writes, hubs, policies, paused }: Omit<TwinReport, 'warnings'>,
  fleet: Fleet,
): readonly string[] {
  const known = twins.planned + sum(APART, (why) => (why === 'deleted' ? 0 : twins.apart[why]));
  const idle = policies.filter(({ change, owned }) => change !== 'removed' && owned === 0);
  const rollouts = fleet.twins.policies.flatMap(({ rollout }) => rollout ?? []);
  const overHours = Math.max(0, ...rollouts.map(leastDuration)) / 3_600_000;
  const pausedHubs = hubs.filter((hub) => hub.paused !== undefined && hub.writes > 0);
  return [
    ...(known === 0 ? ['the state tables contain no twins, so nothing was tried'] : []),
    ...(writes.slowest !== undefined && writes.hours === undefined
      ? [`the daily budget of ${writes.slowest} is too small for a single write: raise budget.daily`]
      : []),
    ...(overHours > 0 && writes.hours !== undefined && writes.hours > overHours
      ? [
          `${fleet.file.twins.rollout?.over === undefined ? 'the longest rollout' : 'twins.rollout.over'} is ${durationText(overHours)}, but the budget of ${writes.slowest} needs ${durationText(writes.hours)}: the rollout takes that long`,
        ]
      : []),
    ...(paused === undefined ? [] : [`all writes are paused now, ${pauseReason(paused)}`]),
    ...pausedHubs.map(
      ({ host, paused: pause }) => `${host} is paused now${pause ? `, ${pauseReason(pause)}` : ''}`,
    ),
    ...(known > 0 && idle.length > 0
      ? [`these policies would own nothing in any twin: ${idle.map(({ name }) => name).join(', ')}`]
      : []),
    ...(twins.apart.elsewhere > 0
      ? [
          `Berth writes nothing to ${twins.apart.elsewhere} of the twins, because this deployment does not reconcile their hubs`,
        ]
      : []),
  ];
}

/** `by ann: a bad release` */
export function pauseReason({ author, reason }: Pause): string {
  return `by ${author}: ${reason}`;
}

function hoursOf({ cost }: HubWrites): number {
  return cost === undefined ? 0 : (cost.hours ?? Number.POSITIVE_INFINITY);
}

function sum<Each>(all: readonly Each[], count: (each: Each) => number): number {
  return all.reduce((total, each) => total + count(each), 0);
}
