import { type EpochMs, earlierOf } from '../../time/epoch-ms.ts';
import { type Instant, latest, NEVER } from '../../time/instant.ts';
import {
  type Snapshot,
  unreadSnapshot,
  WORK_PRIORITIES,
  type WorkItem,
  type WorkPriority,
} from '../snapshot/snapshot.ts';
import type { Known } from './apply-event.ts';

/** Why a twin must be read again, and when. */
export interface Mark {
  /** The hub's time of the cause. A twin that was deleted later stays deleted. */
  readonly since: Instant;
  readonly why: string;
  readonly priority: WorkPriority;
  /** When the twin must be read. */
  readonly at: EpochMs;
  /** Stored data of the twin is not believed, not even a deletion. The hub's answer replaces it. */
  readonly isResync?: boolean;
}

/**
 * Marks a twin to be read from its hub at a time, before Berth decides anything. An unknown twin becomes an unread one. A
 * deletion that is not older than `since` stays.
 */
export function markUnread(known: Known, id: Snapshot['id'], mark: Mark): Known {
  if (mark.isResync === true) return markForResync(known, id, mark);
  const { since, why, at } = mark;
  if (known.kind === 'deleted' && since <= known.at) return known;
  const snapshot =
    known.kind === 'snapshot' ? known.snapshot : unknownTwin(unreadSnapshot(id, since, why), at);
  const unread = { since: latest(snapshot.unread?.since ?? since, since), why };
  return { kind: 'snapshot', snapshot: { ...snapshot, unread, workItem: workItemAfter(snapshot, mark) } };
}

function markForResync(known: Known, id: Snapshot['id'], { why, priority, at }: Mark): Known {
  const snapshot =
    known.kind === 'snapshot' ? known.snapshot : unknownTwin(unreadSnapshot(id, NEVER, why), at);
  const unread = { since: NEVER, why, isResync: true };
  const workItem = { priority, at, why, tries: 0 };
  // An empty revision makes sure that the next status is stored, even if it is the same.
  const lastReconcile = { ...snapshot.lastReconcile, revision: '' };
  return {
    kind: 'snapshot',
    snapshot: { ...snapshot, unread, writing: undefined, suspended: undefined, workItem, lastReconcile },
  };
}

/** An unknown twin is in the attention list from now on. */
function unknownTwin(snapshot: Snapshot, at: EpochMs): Snapshot {
  return { ...snapshot, lastReconcile: { ...snapshot.lastReconcile, since: at } };
}

/** A work item may become earlier or more urgent, never later or less urgent. */
function workItemAfter({ workItem, writing }: Snapshot, { at, why, priority }: Mark): WorkItem {
  if (workItem === undefined) return { priority, at, why, tries: 0 };
  // Until the time of this work item, other instances know that a write is in progress.
  const isBeingWritten = writing !== undefined && workItem.at > at;
  const isUrgent = WORK_PRIORITIES.indexOf(workItem.priority) <= WORK_PRIORITIES.indexOf(priority);
  return {
    priority: isUrgent ? workItem.priority : priority,
    at: isBeingWritten ? workItem.at : earlierOf(workItem.at, at),
    why: isBeingWritten ? workItem.why : why,
    tries: isBeingWritten ? workItem.tries : 0,
  };
}
