import type { Status } from '../words/statuses.ts';
import type { Pattern } from './patterns.ts';

/** The colour of each status, by its name in `style/tokens.css`. */
export const STATUS_COLORS: Readonly<Record<Status, string>> = {
  inSync: '--good',
  pending: '--info',
  drifted: '--warn',
  rejected: '--bad',
  contested: '--contest',
  suspended: '--idle',
  unknown: '--muted',
};

/** Neighbours in a stack differ by pattern too. */
export const STATUS_PATTERNS: Readonly<Record<Status, Pattern>> = {
  inSync: 'solid',
  pending: 'dots',
  drifted: 'diagonal',
  rejected: 'crossed',
  contested: 'vertical',
  suspended: 'horizontal',
  unknown: 'sparse',
};
