import { type Journal, openJournal } from '../journal.ts';
import type { AppendedPosition, EventPlace, ProducedEvent, StoredEvent } from './event.ts';
import type { EventPosition } from './event-position.ts';
import { type LogRecord, readLogRecord, writeLogRecord } from './log-record.ts';
import { placeEvent } from './message/event-message.ts';

/** What is kept of a partition; whatever is over one of the limits is dropped, oldest first. */
export interface Retention {
  readonly events: number;
  readonly ms: number;
  /** Encoded messages, in memory and (a third more) on disk. */
  readonly bytes: number;
}

/** The place before the first event, as Azure reports it for a partition that never had one. */
const BEFORE_FIRST: EventPlace = { sequenceNumber: -1, offset: -1, enqueuedTime: 0 };

/**
 * The log is written anew when what was dropped outweighs what is kept by this much: often enough to bound
 * it, seldom enough not to matter.
 */
const DROPPED_SLACK_BYTES = 8 * 1024 * 1024;

/** Where a reader begins, or the last place when it asked for one beyond it. */
export type ReadingStart =
  | { readonly ok: true; readonly sequenceNumber: number }
  | {
      readonly ok: false;
      readonly by: 'offset' | 'sequenceNumber';
      readonly value: number;
      readonly last: number;
    };

/**
 * One partition: an append-only log of events with consecutive sequence numbers from 0. It lives in memory,
 * and in a journal when it has a file: numbers and offsets then go on after a restart.
 */
export class Partition {
  readonly id: string;
  readonly #retention: Retention;
  readonly #now: () => number;
  readonly #journal: Journal<LogRecord>;
  readonly #listeners = new Set<() => void>();
  /**
   * The events kept are those from index `#dropped` on; the ones before are cut off when they are the greater
   * part.
   */
  #events: StoredEvent[] = [];
  #dropped = 0;
  #bytes = 0;
  #droppedBytes = 0;
  #last = BEFORE_FIRST;
  #nextOffset = 0;

  constructor(id: string, file: string | undefined, retention: Retention, now: () => number) {
    this.id = id;
    this.#retention = retention;
    this.#now = now;
    this.#journal = openJournal<LogRecord>(file, (record) => this.#replay(readLogRecord(record)));
    this.#trim();
  }

  /** The last event that was ever appended, kept or not. */
  get last(): EventPlace {
    return this.#last;
  }

  /** Sequence number of the oldest event kept; the next one to come when there is none. */
  get beginning(): number {
    this.#trim();
    return this.#first()?.sequenceNumber ?? this.#last.sequenceNumber + 1;
  }

  get isEmpty(): boolean {
    this.#trim();
    return this.#first() === undefined;
  }

  /** Appends the events in order, one after the other. They are in the journal when this returns. */
  append(events: readonly ProducedEvent[]): AppendedPosition[] {
    const positions = events.map((event) => {
      const place: EventPlace = {
        sequenceNumber: this.#last.sequenceNumber + 1,
        offset: this.#nextOffset,
        enqueuedTime: Math.max(this.#now(), this.#last.enqueuedTime),
      };
      const stored = placeEvent(event, place);
      this.#journal.append(writeLogRecord(stored));
      this.#keep(stored);
      return { ...place, partitionId: this.id };
    });
    this.#trim();
    for (const listener of this.#listeners) listener();
    return positions;
  }

  /** Calls `listener` after each append, until the function that is returned is called. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The event with this sequence number, or the oldest one kept if that is newer; undefined when there is
   * none yet.
   */
  read(sequenceNumber: number): StoredEvent | undefined {
    this.#trim();
    const first = this.#first();
    if (first === undefined) return undefined;
    return this.#events[this.#dropped + Math.max(0, sequenceNumber - first.sequenceNumber)];
  }

  /**
   * The sequence number with which a reader begins. Like Azure, a place that retention has passed means the
   * oldest event kept, and one beyond the last event is an error (what a checkpoint outlives when an event
   * hub is made anew).
   */
  start(position: EventPosition): ReadingStart {
    this.#trim();
    const end = this.#last.sequenceNumber + 1;
    if (position.by === 'latest') return { ok: true, sequenceNumber: end };
    const begin = this.#first()?.sequenceNumber ?? end;
    if (position.by === 'start') return { ok: true, sequenceNumber: begin };
    const { by, value, inclusive } = position;
    if (by !== 'enqueuedTime' && value > this.#last[by])
      return { ok: false, by, value, last: this.#last[by] };
    return { ok: true, sequenceNumber: this.#firstAfter(by, value, inclusive)?.sequenceNumber ?? end };
  }

  close(): void {
    this.#listeners.clear();
    this.#journal.close();
  }

  /** Binary search: all three are in ascending order. */
  #firstAfter(by: keyof EventPlace, value: number, inclusive: boolean): StoredEvent | undefined {
    let low = this.#dropped;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#events[middle]?.[by] ?? Number.POSITIVE_INFINITY;
      if (inclusive ? found >= value : found > value) high = middle;
      else low = middle + 1;
    }
    return this.#events[low];
  }

  #first(): StoredEvent | undefined {
    return this.#events[this.#dropped];
  }

  #keep(event: StoredEvent): void {
    this.#events.push(event);
    this.#bytes += sizeOf(event);
    this.#last = {
      sequenceNumber: event.sequenceNumber,
      offset: event.offset,
      enqueuedTime: event.enqueuedTime,
    };
    this.#nextOffset = event.offset + sizeOf(event);
  }

  /** Retention is looked at whenever the partition is used, so that it needs no timer. */
  #trim(): void {
    const { events, ms, bytes } = this.#retention;
    const oldest = this.#now() - ms;
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      const kept = this.#events.length - this.#dropped;
      if (kept <= events && this.#bytes <= bytes && first.enqueuedTime >= oldest) break;
      this.#dropped += 1;
      this.#bytes -= sizeOf(first);
      this.#droppedBytes += sizeOf(first);
    }
    if (this.#dropped > this.#events.length / 2 + 64) {
      this.#events = this.#events.slice(this.#dropped);
      this.#dropped = 0;
    }
    if (this.#droppedBytes > this.#bytes + DROPPED_SLACK_BYTES) {
      this.#droppedBytes = 0;
      this.#journal.compact(this.#live());
    }
  }

  *#live(): Generator<LogRecord> {
    yield { last: this.#last, nextOffset: this.#nextOffset };
    for (let index = this.#dropped; index < this.#events.length; index += 1) {
      const event = this.#events[index];
      if (event !== undefined) yield writeLogRecord(event);
    }
  }

  #replay(record: LogRecord): void {
    if ('last' in record) {
      this.#last = record.last;
      this.#nextOffset = record.nextOffset;
    } else {
      if (this.#events.length > 0 && record.sequenceNumber !== this.#last.sequenceNumber + 1) {
        throw new Error('An event does not follow the one before it.');
      }
      this.#keep({
        sequenceNumber: record.sequenceNumber,
        offset: record.offset,
        enqueuedTime: record.enqueuedTime,
        header: Buffer.from(record.header, 'base64'),
        message: Buffer.from(record.message, 'base64'),
      });
    }
  }
}

function sizeOf(event: StoredEvent): number {
  return event.header.length + event.message.length;
}
