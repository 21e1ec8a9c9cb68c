import { escapeId, prefixRange } from '../tables/keys.ts';

/**
 * The key of a dead letter. Its id is the day (UTC), the partition, the sequence number and the start of a digest of the
 * event, such as `2026-11-25/3/1234/9f3a1c2b`. The digest separates events with the same numbers, because a new Event Hub
 * starts at 0 again. Operators may omit it if only one event matches.
 */
export interface LetterKey {
  /** The partition of the table, `2026-11-25`. */
  readonly day: string;
  readonly rowKey: string;
}

/** Digits of the digest. Few events have the same numbers, so a short digest is enough. */
export const DIGEST_DIGITS = 8;
/** The digits of the greatest sequence number of Event Hubs (int64). */
const NUMBER_DIGITS = 19;

export function letterKey(
  enqueuedAt: string,
  partition: string,
  sequenceNumber: number,
  digest: string,
): LetterKey {
  return {
    day: enqueuedAt.slice(0, 10),
    rowKey: `${placeKey(escapePartition(partition), sequenceNumber)}|${digest}`,
  };
}

export function letterId({ day, rowKey }: LetterKey): string {
  const [partition = '', sequenceNumber, ...digest] = rowKey.split('|');
  return [day, partition, String(Number(sequenceNumber)), ...digest].join('/');
}

const FORM = new RegExp(
  `^(\\d{4}-\\d\\d-\\d\\d)/([!-.0-{}~]{1,200})/(\\d{1,16})(?:/([0-9a-f]{1,${DIGEST_DIGITS}}))?$`,
);

/** The day and the range of row keys that an id may mean. Undefined: the text is not an id. */
export function letterRange(
  text: string,
): { readonly day: string; readonly range: readonly [from: string, to: string] } | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, day = '', partition = '', sequenceNumber, digest] = match;
  const place = placeKey(partition, Number(sequenceNumber));
  return { day, range: prefixRange(digest === undefined ? place : `${place}|${digest}`) };
}

function placeKey(partition: string, sequenceNumber: number): string {
  return `${partition}|${String(sequenceNumber).padStart(NUMBER_DIGITS, '0')}`;
}

function escapePartition(partition: string): string {
  return escapeId(partition).replaceAll('|', '~7C').replaceAll(' ', '~20');
}
