import type { Fleet } from '../../fleet/fleet.ts';
import { sameJson } from '../../json/json.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Plan } from '../../twin/plan/plan.ts';
import { parentTrouble } from '../../twin/snapshot/parent-record.ts';
import type { LastReconcile, Snapshot, TwinStatus } from '../../twin/snapshot/snapshot.ts';

/** By what a twin is reconciled, and when. */
export interface Surroundings {
  readonly fleet: Fleet;
  readonly now: EpochMs;
}

/** What decides the stored result of a plan. */
export interface StatusSurroundings extends Surroundings {
  /**
   * The same status by another fleet file is not a change, so that a resync stores only what differs. With events, the
   * snapshot is stored in any case. Then the status gets the present revision.
   */
  readonly keepsRevision?: boolean;
}

/** The histories and the result of a plan, to store in the snapshot. The same result stays as it is. */
export function withStatus(
  snapshot: Snapshot,
  planned: Plan,
  at: StatusSurroundings,
): Pick<Snapshot, 'paths' | 'lastReconcile'> {
  const { policies, stages, reached, paths } = planned;
  const before = snapshot.lastReconcile;
  const { status, why, isHeld } = withParent(planned, snapshot, at);
  const { stages: _, reached: __, ...found } = lastReconcileOf(snapshot, status, why, at);
  const inStages = Object.keys(stages).length === 0 ? {} : { stages };
  const byRollouts = reached.length === 0 ? {} : { reached };
  const lastReconcile = { ...found, policies, ...inStages, ...byRollouts, isHeld };
  const revision = at.keepsRevision === true ? before.revision : lastReconcile.revision;
  const isSame = before.revision !== '' && isSameStatus({ ...lastReconcile, revision }, before);
  return { paths, lastReconcile: isSame ? before : lastReconcile };
}

/** A parent that is not entered needs an operator, also if all properties of the twin are in sync. */
function withParent(
  { status, why, isHeld }: Pick<Plan, 'status' | 'why' | 'isHeld'>,
  { parent }: Snapshot,
  { fleet }: Surroundings,
): Pick<Plan, 'status' | 'why' | 'isHeld'> {
  const trouble = fleet.allocation.namesParents ? parentTrouble(parent) : undefined;
  const isWorse = trouble !== undefined && (isHeld || status === 'inSync' || status === 'pending');
  return isWorse ? { ...trouble, isHeld: false } : { status, why, isHeld };
}

function isSameStatus(one: LastReconcile, other: LastReconcile): boolean {
  const { policies, stages, reached, ...others } = one;
  return (
    Object.entries(others).every(([name, value]) => value === other[name as keyof LastReconcile]) &&
    sameJson(policies, other.policies) &&
    sameJson(stages, other.stages) &&
    sameJson(reached, other.reached)
  );
}

/** The result with another status. `since` stays if the status is the same. */
export function lastReconcileOf(
  { lastReconcile: before }: Snapshot,
  state: TwinStatus,
  why: string,
  { fleet, now }: Surroundings,
): LastReconcile {
  const isSame = before.status === state && before.since > 0 && before.since <= now;
  return {
    ...before,
    status: state,
    why,
    since: isSame ? before.since : now,
    revision: fleet.revision,
    isHeld: false,
  };
}
