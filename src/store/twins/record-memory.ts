import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { TwinRecord } from './twin-record.ts';

/** The limits of the memory, in characters of JSON and in records. The least recently used record goes first. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_RECORDS = 20_000;

interface Entry {
  readonly record: TwinRecord;
  readonly bytes: number;
}

/**
 * The records that this instance has recently used. With it, an event of a twin in sync costs one call to the tables and not
 * two. A record may be old, so every save checks its etag.
 */
export class RecordMemory {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  get(id: TwinId): TwinRecord | undefined {
    const key = twinKey(id);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.record;
  }

  /** @param bytes the length of the record as JSON. */
  put(record: TwinRecord, bytes: number): void {
    this.forget(record.id);
    // Without an etag, an old record could not be recognised. A twin that waits for a read or an answer may have been handled
    // by another instance.
    if (record.etag === undefined || isWaiting(record)) return;
    this.#entries.set(twinKey(record.id), { record: { ...record, isRemembered: true }, bytes });
    this.#bytes += bytes;
    for (const [key, oldest] of this.#entries) {
      if (this.#bytes <= MAX_BYTES && this.#entries.size <= MAX_RECORDS) return;
      this.#entries.delete(key);
      this.#bytes -= oldest.bytes;
    }
  }

  forget(id: TwinId): void {
    const key = twinKey(id);
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

function isWaiting({ known }: TwinRecord): boolean {
  return (
    known.kind === 'snapshot' && (known.snapshot.unread !== undefined || known.snapshot.writing !== undefined)
  );
}
