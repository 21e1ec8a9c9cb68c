import { type Journal, openJournal } from '../journal.ts';
import type { AppendedPosition, EventPlace, ProducedEvent, StoredEvent } from './event.ts';
import type { EventPosition } from './event-position.ts';
import { type LogRecord, readLogRecord, writeLogRecord } from './log-record.ts';
import { placeEvent } from './message/event-message.ts';

/** Limits of the stored events of a partition. Beyond a limit, the oldest events are dropped. */
export interface Retention {
  readonly events: number;
  readonly ms: number;
  /** Encoded messages, in memory and (a third more) on disk. */
  readonly bytes: number;
}

/** The position before the first event. Azure reports it for a partition that never had an event. */
const BEFORE_FIRST: EventPlace = { sequenceNumber: -1, offset: -1, enqueuedTime: 0 };

/**
 * The log is rewritten when the dropped events have this many bytes more than the stored ones. This bounds the size
 * of the log, and rewrites are rare.
 */
const DROPPED_SLACK_BYTES = 8 * 1024 * 1024;

/** The start of a reader. If the requested position is beyond the last event, the last position instead. */
export type ReadingStart =
  | { readonly ok: true; readonly sequenceNumber: number }
  | {
      readonly ok: false;
      readonly by: 'offset' | 'sequenceNumber';
      readonly value: number;
      readonly last: number;
    };

/**
 * One partition: an append-only log of events with consecutive sequence numbers from 0. It is in memory and, if it has
 * a file, in a journal. With a journal, sequence numbers and offsets continue after a restart.
 */
export class Partition {
  readonly id: string;
  readonly #retention: Retention;
  readonly #now: () => number;
  readonly #journal: Journal<LogRecord>;
  readonly #listeners = new Set<() => void>();
  /**
   * The stored events begin at index `#dropped`. When more than half of the array is dropped, it is cut.
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

  /** Position of the last appended event, also if the event was dropped. */
  get last(): EventPlace {
    return this.#last;
  }

  /** Sequence number of the oldest stored event; of the next event if none is stored. */
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

  /** Calls `listener` after each append. The returned function removes the listener. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The event with this sequence number, or the oldest stored event if that is newer; undefined if there is no such
   * event yet.
   */
  read(sequenceNumber: number): StoredEvent | undefined {
    this.#trim();
    const first = this.#first();
    if (first === undefined) return undefined;
    return this.#events[this.#dropped + Math.max(0, sequenceNumber - first.sequenceNumber)];
  }

  /**
   * The sequence number of the first event for a reader. As in Azure, a position before the oldest stored event means
   * that event, and a position beyond the last event is an error. The latter happens with the old checkpoint of an
   * event hub that was deleted and created again.
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

  /** Binary search. Events are in ascending order of all three fields. */
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

  /** Drops events beyond the limits. Each use of the partition calls it, so it needs no timer. */
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
        throw new Error('The sequence number of an event does not follow the previous one.');
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
