import { isObject, type JsonValue } from '../json/json.ts';
import { REDACTED } from '../twin/events/redact.ts';
import type { Plan, PlannedLeaf } from '../twin/plan/plan.ts';
import { valueAt } from '../twin/snapshot/merge.ts';
import type { Snapshot, TwinStatus } from '../twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../twin/snapshot/twin.ts';
import type { StageForecast } from './stage-forecast.ts';
import { APART, type Apart, type TriedTwin } from './try-twin.ts';

/** The results of the twins of one hub. */
export interface HubTally {
  planned: number;
  /** Twins that would be written, each with one PATCH. */
  writes: number;
  /** Properties in these writes. */
  properties: number;
  /** Writes that need a read of the twin first. */
  reads: number;
  readonly apart: Partial<Record<Apart, number>>;
}

/** The results of a policy: numbers of twins in which at least one of its properties is of this kind. */
export interface PolicyTally {
  owned: number;
  written: number;
  /** Not written, because the policy only observes. */
  held: number;
  /** Written after the cooldown. */
  waiting: number;
  rejected: number;
  contested: number;
  /** Written twins by the name of their stage, with the earliest time at which one of them is reached. */
  readonly stages: Map<string, StageTally>;
  /** The first patches, by hub and device. */
  readonly patches: FoundPatch[];
  /** The first rejected or contested properties, by hub and device. */
  readonly problems: FoundProblem[];
}

/** The written twins of one stage. */
export interface StageTally {
  written: number;
  /** The earliest of their times. */
  afterMs: number;
  readonly needsApproval: boolean;
}

interface Found {
  readonly key: string;
  readonly hub: string;
  readonly deviceId: string;
  /** Absent for a device twin. */
  readonly moduleId?: string;
}

/** What a policy would write to one twin. */
export interface FoundPatch extends Found {
  /** When the rollout of the policy reaches the twin. Absent: at once. */
  readonly reached?: StageForecast;
  readonly changes: readonly PropertyChange[];
}

export interface PropertyChange {
  readonly path: string;
  /** Absent if the property does not exist. */
  readonly before?: JsonValue;
  /** `null`: the property is deleted. */
  readonly after: JsonValue;
}

/** A property that a policy cannot set to its value. */
export interface FoundProblem extends Found {
  readonly path: string;
  readonly status: 'rejected' | 'contested';
  readonly why: string;
}

/** What was counted, in a form that can be sent from a thread. */
export interface TwinCounts {
  readonly hubs: ReadonlyMap<string, Readonly<HubTally>>;
  /** By name. */
  readonly policies: ReadonlyMap<string, Readonly<PolicyTally>>;
  /** Number of twins by status before and after; the key joins both with a line break. */
  readonly statuses: ReadonlyMap<string, number>;
  readonly twins: number;
}

/** The text that replaces a redacted value. */
const HIDDEN = '(redacted)';

/** Adds up the results of twins, in any order. Its size does not grow with the number of twins. */
export class TwinTally implements TwinCounts {
  readonly hubs = new Map<string, HubTally>();
  readonly policies = new Map<string, PolicyTally>();
  readonly statuses = new Map<string, number>();
  twins = 0;
  readonly #first: number;

  /** @param first the most patches and problems that are kept for each policy. */
  constructor(first: number) {
    this.#first = first;
  }

  add(id: TwinId, tried: TriedTwin): void {
    this.twins += 1;
    const hub = entryOf(this.hubs, id.host, newHub);
    if (tried.kind === 'apart') {
      hub.apart[tried.why] = (hub.apart[tried.why] ?? 0) + 1;
      return;
    }
    const { plan, before, readsFirst, snapshot, forecasts } = tried;
    hub.planned += 1;
    if (plan.writes.length > 0) {
      hub.writes += 1;
      hub.properties += plan.writes.length;
      if (readsFirst) hub.reads += 1;
    }
    const statuses = `${before}\n${plan.status}`;
    this.statuses.set(statuses, (this.statuses.get(statuses) ?? 0) + 1);
    for (const [name, leaves] of byPolicy(plan.leaves)) {
      const tally = entryOf(this.policies, name, newPolicy);
      this.#addPolicy(tally, { name, leaves, snapshot, plan, forecast: forecasts.get(name) });
    }
  }

  /** Adds what was counted for other twins. The result does not depend on the order, or on how the twins are divided. */
  merge({ hubs, policies, statuses, twins }: TwinCounts): void {
    this.twins += twins;
    for (const [host, hub] of hubs) addHub(entryOf(this.hubs, host, newHub), hub);
    for (const [name, policy] of policies) this.#mergePolicy(entryOf(this.policies, name, newPolicy), policy);
    for (const [key, count] of statuses) this.statuses.set(key, (this.statuses.get(key) ?? 0) + count);
  }

  /** The counts alone, which a thread can send. */
  counts(): TwinCounts {
    const { hubs, policies, statuses, twins } = this;
    return { hubs, policies, statuses, twins };
  }

  #mergePolicy(tally: PolicyTally, other: Readonly<PolicyTally>): void {
    for (const count of POLICY_COUNTS) tally[count] += other[count];
    for (const [name, { written, afterMs, needsApproval }] of other.stages) {
      const stage = entryOf(tally.stages, name, () => ({ written: 0, afterMs, needsApproval }));
      stage.written += written;
      stage.afterMs = Math.min(stage.afterMs, afterMs);
    }
    this.#mergeFound(tally.patches, other.patches);
    this.#mergeFound(tally.problems, other.problems);
  }

  #mergeFound<Each extends Found>(kept: Each[], others: readonly Each[]): void {
    const all = [...kept, ...others].sort((one, other) => (one.key < other.key ? -1 : 1));
    kept.splice(0, kept.length, ...all.slice(0, this.#first));
  }

  #addPolicy(tally: PolicyTally, { name, leaves, snapshot, plan, forecast }: PlannedPolicy): void {
    const writes = plan.writes.filter(({ by }) => by === name);
    const written = new Set(writes.map(({ path }) => path.join('.')));
    const isWaiting = ({ path, status, held }: PlannedLeaf) =>
      status === 'drifted' && held === undefined && !written.has(path);
    tally.owned += 1;
    tally.written += Number(writes.length > 0);
    tally.held += Number(leaves.some(({ held }) => held !== undefined));
    tally.waiting += Number(leaves.some(isWaiting));
    tally.rejected += Number(leaves.some(({ status }) => status === 'rejected'));
    tally.contested += Number(leaves.some(({ status }) => status === 'contested'));
    if (writes.length > 0) {
      if (forecast !== undefined) addStage(tally.stages, forecast);
      this.#keep<Pick<FoundPatch, 'changes' | 'reached'>>(tally.patches, snapshot.id, () => ({
        ...(forecast === undefined ? {} : { reached: forecast }),
        changes: writes.map(({ path, value }) => changeOf(path, valueAt(snapshot.desired, path), value)),
      }));
    }
    const problem = leaves.map(problemOf).find((each) => each !== undefined);
    if (problem !== undefined) this.#keep(tally.problems, snapshot.id, () => problem);
  }

  /** Keeps the first by name. The first that are found would all be of one partition. */
  #keep<What extends object>(kept: (Found & What)[], id: TwinId, make: () => What): void {
    const key = twinKey(id);
    const last = kept.at(-1);
    if (kept.length >= this.#first && (last === undefined || last.key <= key)) return;
    const { host: hub, deviceId, moduleId } = id;
    const at = kept.findIndex((each) => each.key > key);
    kept.splice(at === -1 ? kept.length : at, 0, {
      key,
      hub,
      deviceId,
      ...(moduleId === undefined ? {} : { moduleId }),
      ...make(),
    });
    if (kept.length > this.#first) kept.pop();
  }
}

/** One policy in one planned twin. */
interface PlannedPolicy {
  readonly name: string;
  readonly leaves: readonly PlannedLeaf[];
  readonly snapshot: Snapshot;
  readonly plan: Plan;
  readonly forecast: StageForecast | undefined;
}

function addStage(stages: Map<string, StageTally>, { stage, afterMs, needsApproval }: StageForecast): void {
  if (stage === undefined) return;
  const tally = entryOf(stages, stage, () => ({ written: 0, afterMs, needsApproval }));
  tally.written += 1;
  tally.afterMs = Math.min(tally.afterMs, afterMs);
}

/** Splits a key of `TwinTally.statuses`. */
export function statusesOf(key: string): { readonly from: TwinStatus; readonly to: TwinStatus } {
  const [from, to] = key.split('\n') as [TwinStatus, TwinStatus];
  return { from, to };
}

function byPolicy(leaves: readonly PlannedLeaf[]): ReadonlyMap<string, readonly PlannedLeaf[]> {
  const grouped = new Map<string, PlannedLeaf[]>();
  for (const leaf of leaves) entryOf(grouped, leaf.policy, () => []).push(leaf);
  return grouped;
}

function changeOf(path: readonly string[], before: JsonValue | undefined, after: JsonValue): PropertyChange {
  return {
    path: path.join('.'),
    ...(before === undefined ? {} : { before: shown(before) }),
    after: shown(after),
  };
}

/** Hides redacted values: an expression may copy one, and the tried file may no longer redact the path. */
function shown(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.includes(REDACTED) ? HIDDEN : value;
  if (Array.isArray(value)) return value.map(shown);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shown(member)]));
}

function problemOf({ path, status, why }: PlannedLeaf): Omit<FoundProblem, keyof Found> | undefined {
  return status === 'rejected' || status === 'contested' ? { path, status, why } : undefined;
}

function entryOf<Key, Each>(map: Map<Key, Each>, key: Key, make: () => Each): Each {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

const POLICY_COUNTS = ['owned', 'written', 'held', 'waiting', 'rejected', 'contested'] as const;

function addHub(hub: HubTally, { planned, writes, properties, reads, apart }: Readonly<HubTally>): void {
  hub.planned += planned;
  hub.writes += writes;
  hub.properties += properties;
  hub.reads += reads;
  for (const why of APART) {
    const count = apart[why];
    if (count !== undefined) hub.apart[why] = (hub.apart[why] ?? 0) + count;
  }
}

function newHub(): HubTally {
  return { planned: 0, writes: 0, properties: 0, reads: 0, apart: {} };
}

function newPolicy(): PolicyTally {
  return {
    owned: 0,
    written: 0,
    held: 0,
    waiting: 0,
    rejected: 0,
    contested: 0,
    stages: new Map(),
    patches: [],
    problems: [],
  };
}
