import * as z from 'zod';
import { EPOCH, type EpochMs, earlierOf, laterOf } from '../time/epoch-ms.ts';
import { epochMsSchema } from '../time/epoch-ms-schema.ts';
import { MINUTE_MS } from './evidence.ts';

/*
 * How far Berth has read the Event Hub, from one look a minute. A checkpoint has no time. So each look keeps the last sequence
 * number of each partition: when the checkpoint has reached it, everything that was there at the time of that look is read. Pure.
 */

/** One partition at the time of a look. */
export interface PartitionPosition {
  /** The sequence number of the newest event. `-1`: there was never an event. */
  readonly last: number;
  /** The partition holds no event: there was none, or the retention is over for all. */
  readonly isEmpty: boolean;
  /** The sequence number of the last event that the functions have handled. Undefined: there is no checkpoint. */
  readonly checkpoint: number | undefined;
}

/** A look at the Event Hub and at the checkpoints: the partitions by their ids, or why the look failed. */
export type Look =
  | { readonly kind: 'positions'; readonly partitions: ReadonlyMap<string, PartitionPosition> }
  | { readonly kind: 'failed'; readonly why: string };

const partitionSchema = z.object({
  /** `-1`: there is none. */
  checkpoint: z.number(),
  /** When the checkpoint was first seen where it is. */
  movedAt: epochMsSchema,
  /** Everything that was there at this time is read. */
  readUpTo: epochMsSchema,
  /** Last sequence numbers that the checkpoint has not reached, the oldest first. */
  unread: z.array(z.object({ at: epochMsSchema, last: z.number() })),
});
type PartitionReading = z.output<typeof partitionSchema>;

export const readerSchema = z.object({
  /** The last look that did not fail. Undefined: none yet. */
  at: epochMsSchema.optional(),
  partitions: z.record(z.string(), partitionSchema),
  /** Since when looks fail, and why. Undefined: the last one did not fail. */
  failing: z.object({ since: epochMsSchema, why: z.string() }).optional(),
});

/** How far the Event Hub is read, as the last run of `resyncFleet` saw it. */
export type EventReader = z.output<typeof readerSchema>;

export const NO_READER: EventReader = { partitions: {} };

/** Unread events that are older make every hub `late`. A checkpoint that does not move for so long is an alarm. */
export const BEHIND_MS = 10 * MINUTE_MS;
/** So many looks of a partition are kept. The oldest and the newest ones matter. */
const MOST_LOOKS = 60;

/** The reader after one more look. */
export function withLook(before: EventReader, look: Look, now: EpochMs): EventReader {
  if (look.kind === 'failed') {
    return { ...before, failing: { since: before.failing?.since ?? now, why: look.why } };
  }
  const partitions = [...look.partitions].map(
    ([id, position]) => [id, withPosition(before.partitions[id], position, now)] as const,
  );
  return { at: now, partitions: Object.fromEntries(partitions) };
}

function withPosition(
  before: PartitionReading | undefined,
  { last, isEmpty, checkpoint = -1 }: PartitionPosition,
  now: EpochMs,
): PartitionReading {
  const movedAt = before !== undefined && before.checkpoint === checkpoint ? before.movedAt : now;
  // A checkpoint beyond the end is of an earlier Event Hub with this name. The functions would wait for its number.
  const isBeyond = checkpoint > last && last !== -1;
  if (isEmpty || last === -1 || checkpoint === last)
    return { checkpoint, movedAt, readUpTo: now, unread: [] };
  const looks = [...(before?.unread ?? []), { at: now, last }];
  const isRead = (look: { readonly last: number }) => !isBeyond && look.last <= checkpoint;
  const read = looks.filter(isRead).map(({ at }) => at);
  const unread = looks.filter((each) => !isRead(each));
  return {
    checkpoint,
    movedAt,
    readUpTo: read.reduce(laterOf, before?.readUpTo ?? EPOCH),
    unread: unread.length > MOST_LOOKS ? [...unread.slice(0, 1), ...unread.slice(2)] : unread,
  };
}

/** Everything that one partition held at this time is read. With an unknown partition, all of them must have been read. */
export function readUpTo({ partitions }: EventReader, partition?: string): EpochMs {
  const one = partition === undefined ? undefined : partitions[partition];
  const readings = one === undefined ? Object.values(partitions) : [one];
  const [first, ...others] = readings.map((reading) => reading.readUpTo);
  return first === undefined ? EPOCH : others.reduce(earlierOf, first);
}

/** Since when the oldest unread event waits. Undefined: everything is read. */
export function unreadSince({ partitions }: EventReader): EpochMs | undefined {
  const times = Object.values(partitions).flatMap(({ unread }) => unread[0]?.at ?? []);
  const [first, ...others] = times;
  return first === undefined ? undefined : others.reduce(earlierOf, first);
}

/** How the reading stands. */
export type ReaderStatus =
  | { readonly kind: 'reading' }
  /** The oldest unread event has waited for more than ten minutes. */
  | { readonly kind: 'behind'; readonly since: EpochMs }
  /** The same, and the checkpoints of some partitions have not moved for ten minutes. */
  | { readonly kind: 'stopped'; readonly since: EpochMs; readonly partitions: readonly string[] }
  /** Looks have failed for more than ten minutes. */
  | { readonly kind: 'unknown'; readonly since: EpochMs; readonly why: string };

/** How the reading stands at a time. */
export function readerStatus(reader: EventReader, now: EpochMs): ReaderStatus {
  const { failing } = reader;
  if (failing !== undefined && now - failing.since >= BEHIND_MS) return { kind: 'unknown', ...failing };
  const stopped = Object.entries(reader.partitions).flatMap(
    ([
      id,
      {
        movedAt,
        unread: [oldest],
      },
    ]) => {
      const since = oldest === undefined ? undefined : laterOf(oldest.at, movedAt);
      return since !== undefined && now - since >= BEHIND_MS ? [{ id, since }] : [];
    },
  );
  if (stopped.length > 0) {
    const since = stopped.map((each) => each.since).reduce(earlierOf);
    return { kind: 'stopped', since, partitions: stopped.map(({ id }) => id) };
  }
  const waitsSince = unreadSince(reader);
  return waitsSince !== undefined && now - waitsSince >= BEHIND_MS
    ? { kind: 'behind', since: waitsSince }
    : { kind: 'reading' };
}

/** The status as a sentence without its end. Empty: nothing is wrong. */
export function readerText(status: ReaderStatus): string {
  const since = (at: EpochMs) => new Date(at).toISOString();
  switch (status.kind) {
    case 'reading':
      return '';
    case 'behind':
      return `Berth is behind: events wait in the Event Hub since ${since(status.since)}`;
    case 'stopped':
      return `Berth is behind: the checkpoints of partition ${status.partitions.join(', ')} have not moved since ${since(status.since)}, and events wait there`;
    case 'unknown':
      return `Berth cannot see how far the Event Hub is read, since ${since(status.since)}: ${status.why}`;
  }
}
