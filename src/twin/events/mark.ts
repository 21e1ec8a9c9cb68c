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
  /** The hub's time of what led to it: a twin that was deleted later stays deleted. */
  readonly since: Instant;
  readonly why: string;
  readonly priority: WorkPriority;
  /** When it is due. */
  readonly at: EpochMs;
  /** Nothing that is stored of the twin is believed, a deletion included: what the hub answers replaces it. */
  readonly isResync?: boolean;
}

/**
 * The twin as one that must be read from its hub before anything is decided, at a time. A twin that nobody knows becomes an
 * unread one; one whose tombstone is not older than `since` stays as it is.
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
  // Also by which revision it was judged is not believed: the next judgement is stored, whatever it comes to.
  const lastReconcile = { ...snapshot.lastReconcile, revision: '' };
  return {
    kind: 'snapshot',
    snapshot: { ...snapshot, unread, writing: undefined, suspended: undefined, workItem, lastReconcile },
  };
}

/** People see it among those that need attention, with the time from which on. */
function unknownTwin(snapshot: Snapshot, at: EpochMs): Snapshot {
  return { ...snapshot, lastReconcile: { ...snapshot.lastReconcile, since: at } };
}

/** Work items is brought forward, never put off or made less urgent. */
function workItemAfter({ workItem, writing }: Snapshot, { at, why, priority }: Mark): WorkItem {
  if (workItem === undefined) return { priority, at, why, tries: 0 };
  // A work item ahead of a write is how another instance knows that the write is under way.
  const isBeingWritten = writing !== undefined && workItem.at > at;
  const isUrgent = WORK_PRIORITIES.indexOf(workItem.priority) <= WORK_PRIORITIES.indexOf(priority);
  return {
    priority: isUrgent ? workItem.priority : priority,
    at: isBeingWritten ? workItem.at : earlierOf(workItem.at, at),
    why: isBeingWritten ? workItem.why : why,
    tries: isBeingWritten ? workItem.tries : 0,
  };
}
