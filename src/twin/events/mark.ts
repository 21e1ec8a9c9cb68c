import { type Instant, latest, NEVER } from '../../time/instant.ts';
import { DUE_PRIORITIES, type Due, type DuePriority, type Shadow, unreadShadow } from '../snapshot/shadow.ts';
import type { Known } from './fold.ts';

/** Why a twin must be read again, and when. */
export interface Mark {
  /** The hub's time of what led to it: a twin that was deleted later stays deleted. */
  readonly since: Instant;
  readonly why: string;
  readonly priority: DuePriority;
  /** When it is due, ms since the epoch. */
  readonly at: number;
  /** Nothing that is stored of the twin is believed, a deletion included: what the hub answers replaces it. */
  readonly isResync?: boolean;
}

/**
 * The twin as one that must be read from its hub before anything is decided, at a time. A twin that nobody knows becomes an
 * unread one; one whose tombstone is not older than `since` stays as it is.
 */
export function markUnread(known: Known, id: Shadow['id'], mark: Mark): Known {
  if (mark.isResync === true) return markForResync(known, id, mark);
  const { since, why, at } = mark;
  if (known.kind === 'deleted' && since <= known.at) return known;
  const shadow = known.kind === 'shadow' ? known.shadow : unknownTwin(unreadShadow(id, since, why), at);
  const unread = { since: latest(shadow.unread?.since ?? since, since), why };
  return { kind: 'shadow', shadow: { ...shadow, unread, due: dueAfter(shadow, mark) } };
}

function markForResync(known: Known, id: Shadow['id'], { why, priority, at }: Mark): Known {
  const shadow = known.kind === 'shadow' ? known.shadow : unknownTwin(unreadShadow(id, NEVER, why), at);
  const unread = { since: NEVER, why, isResync: true };
  const due = { priority, at, why, tries: 0 };
  // Also by which revision it was judged is not believed: the next judgement is stored, whatever it comes to.
  const judgement = { ...shadow.judgement, revision: '' };
  return {
    kind: 'shadow',
    shadow: { ...shadow, unread, writing: undefined, parked: undefined, due, judgement },
  };
}

/** People see it among those that need attention, with the time from which on. */
function unknownTwin(shadow: Shadow, at: number): Shadow {
  return { ...shadow, judgement: { ...shadow.judgement, since: at } };
}

/** Due work is brought forward, never put off or made less urgent. */
function dueAfter({ due, writing }: Shadow, { at, why, priority }: Mark): Due {
  if (due === undefined) return { priority, at, why, tries: 0 };
  // A due row ahead of a write is how another instance knows that the write is under way.
  const isBeingWritten = writing !== undefined && due.at > at;
  const isUrgent = DUE_PRIORITIES.indexOf(due.priority) <= DUE_PRIORITIES.indexOf(priority);
  return {
    priority: isUrgent ? due.priority : priority,
    at: isBeingWritten ? due.at : Math.min(due.at, at),
    why: isBeingWritten ? due.why : why,
    tries: isBeingWritten ? due.tries : 0,
  };
}
