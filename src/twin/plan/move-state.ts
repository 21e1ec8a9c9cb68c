import type { PolicyStatus } from '../snapshot/snapshot.ts';

/** How a device of a draining hub stands. */
export const MOVE_STATES = [
  /** It was asked, and has not registered again yet. */
  'asked',
  /** It was asked, and has shown no life for `allocation.moves.ask.silentAfter`. */
  'silent',
  /** The gradual move has not reached it. */
  'waiting',
  /** It is not asked, or not yet: a pause, the budget, no room in the twin, `twins.scope`, or no `allocation.moves.ask`. */
  'notAsked',
] as const;
export type MoveState = (typeof MOVE_STATES)[number];

/** @param status the status of the move request in a twin; undefined: the twin has none */
export function moveStateOf(status: PolicyStatus | undefined): MoveState {
  switch (status) {
    case 'inSync':
    case 'pending':
      return 'asked';
    case 'silent':
      return 'silent';
    case 'unreached':
      return 'waiting';
    default:
      return 'notAsked';
  }
}
