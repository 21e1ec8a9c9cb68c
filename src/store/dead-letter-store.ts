import type { ErrorCode } from '../errors.ts';
import { escapeId } from './keys.ts';
import type { Table } from './tables.ts';

/** An event that cannot be decoded, as it came. */
export interface DeadLetter {
  readonly partition: string;
  readonly sequenceNumber: number;
  /** ISO 8601, UTC: when Event Hubs took it. */
  readonly enqueuedAt: string;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly body: Uint8Array;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly systemProperties: Readonly<Record<string, unknown>>;
}

const PROPERTY_BYTES = 64 * 1024;
/**
 * A row holds at most 1 MiB with everything; an event of Event Hubs at most 1 MB, so its end may have to go.
 */
const MAX_PIECES = 14;
/** Properties are kept for finding out; a text property holds at most 32 Ki characters. */
const MAX_TEXT = 30_000;

/** Events that no code could read, by the day they came, for a person to look at. */
export class DeadLetterStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Keeps a dead letter. The key is the event's place, so that a repeated delivery is kept once. */
  async keep(letter: DeadLetter): Promise<void> {
    const pieces: Record<string, Uint8Array> = {};
    for (let index = 0; index < MAX_PIECES && index * PROPERTY_BYTES < letter.body.byteLength; index += 1) {
      pieces[`body${index}`] = letter.body.subarray(index * PROPERTY_BYTES, (index + 1) * PROPERTY_BYTES);
    }
    await this.#table.put(letter.enqueuedAt.slice(0, 10), rowKeyOf(letter), {
      partition: letter.partition,
      sequenceNumber: String(letter.sequenceNumber),
      enqueuedAt: letter.enqueuedAt,
      code: letter.code,
      reason: letter.reason,
      bodyBytes: letter.body.byteLength,
      properties: JSON.stringify(letter.properties).slice(0, MAX_TEXT),
      systemProperties: JSON.stringify(letter.systemProperties).slice(0, MAX_TEXT),
      ...pieces,
    });
  }

  /** The letters of one day (`2026-11-23`), in the order of partition and sequence number. */
  async list(day: string): Promise<readonly DeadLetter[]> {
    const rows = await this.#table.list({ partitionKey: day });
    return rows.map(({ properties }) => ({
      partition: String(properties.partition),
      sequenceNumber: Number(properties.sequenceNumber),
      enqueuedAt: String(properties.enqueuedAt),
      code: String(properties.code) as ErrorCode,
      reason: String(properties.reason),
      body: Buffer.concat(
        Array.from({ length: MAX_PIECES }, (_, index) => properties[`body${index}`]).filter(
          (piece): piece is Uint8Array => piece instanceof Uint8Array,
        ),
      ),
      properties: parse(properties.properties),
      systemProperties: parse(properties.systemProperties),
    }));
  }
}

function rowKeyOf({ partition, sequenceNumber }: DeadLetter): string {
  return `${escapeId(partition)}|${String(sequenceNumber).padStart(19, '0')}`;
}

function parse(text: unknown): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(String(text)) as Record<string, unknown>;
  } catch {
    return { truncated: String(text) };
  }
}
