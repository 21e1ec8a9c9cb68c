import { isObject, type JsonValue } from '../json/json.ts';
import { REDACTED } from '../twin/events/redact.ts';
import type { Plan, PlannedLeaf } from '../twin/plan/plan.ts';
import { valueAt } from '../twin/snapshot/merge.ts';
import type { Snapshot, TwinStatus } from '../twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../twin/snapshot/twin.ts';
import type { Apart, TriedTwin } from './try-twin.ts';

/** What came of the twins of one hub. */
export interface HubTally {
  planned: number;
  /** Twins that would be written, each with one PATCH. */
  writes: number;
  /** Properties in these. */
  properties: number;
  /** Those of the writes before which the twin is read. */
  reads: number;
  readonly apart: Partial<Record<Apart, number>>;
}

/** What a policy would do: twins in which it owns at least one property that is of this kind. */
export interface PolicyTally {
  owned: number;
  written: number;
  /** Would be written, if the policy did not only observe. */
  held: number;
  /** Will be written when the cooldown has passed. */
  waiting: number;
  rejected: number;
  contested: number;
  /** The first of them by hub and device. */
  readonly patches: FoundPatch[];
  /** The same of what is rejected or fought over. */
  readonly problems: FoundProblem[];
}

interface Found {
  readonly key: string;
  readonly hub: string;
  readonly deviceId: string;
  /** Left out for a device twin. */
  readonly moduleId?: string;
}

/** What a policy would write to one twin. */
export interface FoundPatch extends Found {
  readonly changes: readonly PropertyChange[];
}

export interface PropertyChange {
  readonly path: string;
  /** Left out: there is none. */
  readonly before?: JsonValue;
  /** `null`: it is taken away. */
  readonly after: JsonValue;
}

/** A property that a policy cannot have as it wants. */
export interface FoundProblem extends Found {
  readonly path: string;
  readonly status: 'rejected' | 'contested';
  readonly why: string;
}

/** What stands for a redacted value. */
const HIDDEN = '(redacted)';

/** Adds up what comes of twins, in whatever order they come; its size does not grow with their number. */
export class TwinTally {
  readonly hubs = new Map<string, HubTally>();
  /** By name. */
  readonly policies = new Map<string, PolicyTally>();
  /** Twins by status before and after, the two with a line break between them. */
  readonly statuses = new Map<string, number>();
  twins = 0;
  readonly #first: number;

  /** @param first so many patches and problems are kept for each policy. */
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
    const { plan, before, readsFirst, snapshot } = tried;
    hub.planned += 1;
    if (plan.writes.length > 0) {
      hub.writes += 1;
      hub.properties += plan.writes.length;
      if (readsFirst) hub.reads += 1;
    }
    const statuses = `${before}\n${plan.status}`;
    this.statuses.set(statuses, (this.statuses.get(statuses) ?? 0) + 1);
    for (const [name, leaves] of byPolicy(plan.leaves)) {
      this.#addPolicy(entryOf(this.policies, name, newPolicy), name, leaves, snapshot, plan);
    }
  }

  #addPolicy(
    tally: PolicyTally,
    name: string,
    leaves: readonly PlannedLeaf[],
    snapshot: Snapshot,
    plan: Plan,
  ): void {
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
      this.#keep<Pick<FoundPatch, 'changes'>>(tally.patches, snapshot.id, () => ({
        changes: writes.map(({ path, value }) => changeOf(path, valueAt(snapshot.desired, path), value)),
      }));
    }
    const problem = leaves.map(problemOf).find((each) => each !== undefined);
    if (problem !== undefined) this.#keep(tally.problems, snapshot.id, () => problem);
  }

  /** The first by name and not those that were found first, which are those of one partition. */
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

/** The key of `TwinTally.statuses`. */
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

/** A value may have come from a redacted place by an expression, and a file may have stopped to redact. */
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
    patches: [],
    problems: [],
  };
}
