import { connectionAskAt } from '../../edge/connection.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { type EpochMs, earlierOf, epochMs } from '../../time/epoch-ms.ts';
import type { Plan } from '../../twin/plan/plan.ts';
import { parentCheckAt } from '../../twin/snapshot/parent-record.ts';
import { HUB_MODULE } from '../../twin/snapshot/runtime-twin.ts';
import type { Snapshot, WorkItem } from '../../twin/snapshot/snapshot.ts';

/** The work item for the next time of a twin in its present state. Undefined: the twin waits for its next event. */
export function nextWork(
  { nextAt, askAt, why }: Pick<Plan, 'nextAt' | 'askAt' | 'why'>,
  snapshot: Snapshot,
  fleet: Pick<Fleet, 'edge' | 'allocation'>,
): WorkItem | undefined {
  const first = earliest(nextAt, askAt);
  const other = otherWork(snapshot, fleet);
  if (other !== undefined && (first === undefined || other.at <= first)) return other;
  if (nextAt !== undefined && nextAt === first) return { priority: 'drift', at: nextAt, why, tries: 0 };
  return askAt === undefined
    ? undefined
    : { priority: 'activity', at: epochMs(Math.ceil(askAt)), why, tries: 0 };
}

/** Work that is not about the properties of the twin: its parent, or the connection of `$edgeHub`. */
function otherWork(
  snapshot: Snapshot,
  { edge, allocation }: Pick<Fleet, 'edge' | 'allocation'>,
): WorkItem | undefined {
  if (snapshot.id.moduleId === HUB_MODULE && edge !== undefined) {
    const at = connectionAskAt(snapshot);
    const why = 'the connection of the device';
    return at === undefined ? undefined : { priority: 'activity', at, why, tries: 0 };
  }
  // Without such a rule Berth does not look, so the work item would stay due.
  const at = allocation.namesParents ? parentCheckAt(snapshot.parent) : undefined;
  return at === undefined ? undefined : { priority: 'drift', at, why: 'its parent', tries: 0 };
}

function earliest(one: EpochMs | undefined, other: EpochMs | undefined): EpochMs | undefined {
  return one === undefined || other === undefined ? (one ?? other) : earlierOf(one, other);
}
