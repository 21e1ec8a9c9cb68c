import { createHash } from 'node:crypto';
// By name: in the bundle of the command, the default import of an ES module is the module itself.
import { limitFunction } from 'p-limit';
import type { ErrorCode } from '../../errors.ts';
import { hostName, shortName } from '../../iot-hub/host-name.ts';
import { DAY_MS, dayOf } from '../../time/day.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { identityIn } from '../../twin/events/event.ts';
import { chunksOf, sizeInTransaction } from '../tables/chunks.ts';
import { deleteRows } from '../tables/delete-rows.ts';
import type { Row, Table } from '../tables/tables.ts';
import { DIGEST_DIGITS, type LetterKey, letterId, letterKey, letterRange } from './dead-letter-id.ts';

/** An event that cannot be decoded. Only redacted values are replaced. */
export interface DeadLetter {
  readonly partition: string;
  readonly sequenceNumber: number;
  /** When Event Hubs received it: ISO 8601, UTC. */
  readonly enqueuedAt: string;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly body: Uint8Array;
  /** Values under `twins.redact` were replaced in the body. */
  readonly isRedacted?: boolean;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly systemProperties: Readonly<Record<string, unknown>>;
}

/** A stored dead letter. */
export interface KeptLetter extends DeadLetter {
  readonly key: LetterKey;
  readonly id: string;
  /** The size of the redacted body. The stored body may be only its beginning. */
  readonly bodyBytes: number;
  /** The parts that were too long to store in full. Cut properties are `{ truncated }`, with the beginning of their text. */
  readonly cut: readonly LetterPart[];
}

export type LetterPart = 'body' | 'properties' | 'systemProperties';

/** A dead letter in a list, without its contents. The names come from the event and may be any text. */
export interface LetterSummary {
  readonly key: LetterKey;
  readonly id: string;
  readonly enqueuedAt: string;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hubName: string | undefined;
  readonly deviceId: string | undefined;
  readonly moduleId: string | undefined;
}

/** Selects letters. Undefined members select all. `until` is exclusive. */
export interface LetterFilter {
  readonly since?: EpochMs | undefined;
  readonly until?: EpochMs | undefined;
  readonly code?: ErrorCode | undefined;
  /** The short name, as in events. */
  readonly hubName?: string | undefined;
}

/** The newest letters, and the number of older ones. */
export interface NewestLetters {
  readonly letters: readonly LetterSummary[];
  readonly more: number;
  /** False: counting stopped, and there are at least `more`. */
  readonly isCounted: boolean;
}

const PROPERTY_BYTES = 64 * 1024;
/**
 * A row holds at most 1 MiB, and Azurite counts it in base64. An event of Event Hubs has up to 1 MB, so its end may be cut. A
 * hub sends at most 256 KiB.
 */
const MAX_PIECES = 9;
/** A text property holds at most 32 Ki characters. */
const MAX_TEXT = 30_000;
/** The longest name in lists. Ids of IoT Hub have up to 128 characters. */
const MAX_NAME = 128;
const SUMMARY_COLUMNS = ['enqueuedAt', 'code', 'reason', 'hubName', 'deviceId', 'moduleId'];
/** Older letters are counted up to this number. */
const MAX_MORE = 10_000;
const CONCURRENCY = 8;
/** Keys before and after all days. `LAST` also follows every key that begins with a day. */
const [FIRST, LAST] = ['0', '~'];

/** Stores events that could not be decoded, by day, so that operators can examine them. */
export class DeadLetterStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Stores one dead letter, like `keepAll`. */
  keep(letter: DeadLetter): Promise<void> {
    return this.keepAll([letter]);
  }

  /**
   * Stores dead letters, up to a hundred in a transaction. The key contains a digest of the event. So a repeated delivery is
   * stored once, and another event with the same numbers is stored too.
   *
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`: not all of them are stored.
   */
  async keepAll(letters: readonly DeadLetter[]): Promise<void> {
    // A transaction may contain each row only once.
    const rows = new Map(letters.map(rowOf).map((row) => [`${row.partitionKey}|${row.rowKey}`, row]));
    const days = [...new Set([...rows.values()].map(({ partitionKey }) => partitionKey))];
    const chunks = days.flatMap((day) =>
      chunksOf(
        [...rows.values()].filter(({ partitionKey }) => partitionKey === day),
        ({ properties }) => sizeInTransaction(properties),
      ),
    );
    const put = limitFunction((chunk: readonly LetterRow[]) => this.#putTogether(chunk), {
      concurrency: CONCURRENCY,
    });
    await Promise.all(chunks.map(put));
  }

  async #putTogether(rows: readonly LetterRow[]): Promise<void> {
    const isDone = await this.#table
      .transact(rows.map((row) => ['upsert', { ...row.properties, ...keyOf(row) }, 'Replace']))
      .then(
        ({ ok }) => ok,
        () => false,
      );
    // One bad row must not prevent the others. If the tables are unavailable, the first row throws.
    if (isDone) return;
    for (const { partitionKey, rowKey, properties } of rows) {
      await this.#table.put(partitionKey, rowKey, properties);
    }
  }

  /** The letters that an id may mean: several if it has no digest. Undefined: the text is not an id. */
  async find(text: string): Promise<readonly LetterSummary[] | undefined> {
    const place = letterRange(text);
    if (place === undefined) return undefined;
    const { day, range } = place;
    const rows = await this.#table.list({ partitionKey: day, range, select: SUMMARY_COLUMNS, limit: 10 });
    return rows.map(summaryIn);
  }

  /** One letter with its contents. Undefined: it does not exist. */
  async read({ day, rowKey }: LetterKey): Promise<KeptLetter | undefined> {
    const row = await this.#table.get(day, rowKey);
    return row === undefined ? undefined : letterIn(row);
  }

  /** All matching letters without bodies, page by page: by day, then by partition and sequence number. */
  summaries(filter: LetterFilter): AsyncGenerator<readonly LetterSummary[]> {
    const { since, until } = filter;
    const from = since === undefined ? FIRST : dayOf(since);
    return this.#matching(filter, [from, until === undefined ? LAST : `${dayOf(until)}${LAST}`]);
  }

  /**
   * The newest matching letters, the newest first. Reads the days backwards, and keeps only the result in memory.
   *
   * @param seen called with the number of letters that match so far.
   */
  async newest(
    filter: LetterFilter & { readonly since: EpochMs; readonly until: EpochMs },
    limit: number,
    seen: (letters: number) => void = () => {},
  ): Promise<NewestLetters> {
    const oldest = await this.#oldestDay();
    const letters: LetterSummary[] = [];
    let found = 0;
    for (let time = filter.until; oldest !== undefined; time = plus(time, -DAY_MS)) {
      const day = dayOf(time);
      if (day < oldest || day < dayOf(filter.since)) break;
      const room = limit - letters.length;
      const ofDay: LetterSummary[] = [];
      for await (const page of this.#matching(filter, [day, `${day}${LAST}`])) {
        found += page.length;
        seen(found);
        if (room > 0) {
          ofDay.push(...page);
          ofDay.sort(newestFirst).splice(room);
        } else if (found - limit > MAX_MORE) return { letters, more: MAX_MORE, isCounted: false };
      }
      letters.push(...ofDay);
    }
    return { letters, more: found - letters.length, isCounted: true };
  }

  /** The number of letters since the start of a day, up to a limit. Reads only keys. */
  async count(since: EpochMs, limit: number): Promise<{ readonly count: number; readonly more: boolean }> {
    let count = 0;
    for await (const page of this.#table.scan({ partitions: [dayOf(since), LAST], select: [] })) {
      count += page.length;
      if (count > limit) return { count: limit, more: true };
    }
    return { count, more: false };
  }

  /** Deletes letters from before a day, the oldest first, at most one page. Returns their number. */
  async forget(before: EpochMs): Promise<number> {
    for await (const page of this.#table.scan({ partitions: [FIRST, dayOf(before)], select: [] })) {
      if (page.length === 0) continue;
      await this.delete(page.map(({ partitionKey, rowKey }) => ({ day: partitionKey, rowKey })));
      return page.length;
    }
    return 0;
  }

  /** Deletes letters. A letter that does not exist is not an error. */
  async delete(keys: readonly LetterKey[]): Promise<void> {
    await deleteRows(
      this.#table,
      keys.map(({ day, rowKey }) => ({ partitionKey: day, rowKey })),
    );
  }

  /**
   * The letters of a device: those that name it, and those without a device id whose content holds the id. Scans the table.
   */
  async *keysOf(deviceId: string): AsyncGenerator<LetterKey> {
    for await (const page of this.#table.scan({ select: ['deviceId'] })) {
      for (const { partitionKey: day, rowKey, properties } of page) {
        const named = properties.deviceId;
        const key = { day, rowKey };
        if (named === cutText(deviceId, MAX_NAME)) yield key;
        else if (named === undefined && (await this.#mentions(key, deviceId))) yield key;
      }
    }
  }

  async #mentions(key: LetterKey, deviceId: string): Promise<boolean> {
    const letter = await this.read(key);
    if (letter === undefined) return false;
    const { properties, systemProperties, body } = letter;
    const text = `${JSON.stringify({ properties, systemProperties })}${Buffer.from(body).toString('utf8')}`;
    return text.includes(JSON.stringify(deviceId));
  }

  async *#matching(
    filter: LetterFilter,
    partitions: readonly [from: string, to: string],
  ): AsyncGenerator<readonly LetterSummary[]> {
    for await (const page of this.#table.scan({ partitions, select: SUMMARY_COLUMNS })) {
      yield page.map(summaryIn).filter((letter) => matches(letter, filter));
    }
  }

  async #oldestDay(): Promise<string | undefined> {
    for await (const [first] of this.#table.scan({ select: [] })) {
      if (first !== undefined) return first.partitionKey;
    }
    return undefined;
  }
}

function newestFirst(left: LetterSummary, right: LetterSummary): number {
  if (left.enqueuedAt === right.enqueuedAt) return 0;
  return left.enqueuedAt < right.enqueuedAt ? 1 : -1;
}

function matches(letter: LetterSummary, { since, until, code, hubName }: LetterFilter): boolean {
  const at = Date.parse(letter.enqueuedAt);
  return (
    (since === undefined || at >= since) &&
    (until === undefined || at < until) &&
    (code === undefined || letter.code === code) &&
    (hubName === undefined || shortNameIn(letter) === hubName)
  );
}

/** An event may carry a host name instead of the short name. */
function shortNameIn({ hubName }: LetterSummary): string | undefined {
  return hubName === undefined ? undefined : shortName(hostName(hubName));
}

type LetterRow = Pick<Row, 'partitionKey' | 'rowKey' | 'properties'>;

function keyOf({ partitionKey, rowKey }: LetterRow): Pick<Row, 'partitionKey' | 'rowKey'> {
  return { partitionKey, rowKey };
}

function rowOf(letter: DeadLetter): LetterRow {
  const pieces: Record<string, Uint8Array> = {};
  for (let index = 0; index < MAX_PIECES && index * PROPERTY_BYTES < letter.body.byteLength; index += 1) {
    pieces[`body${index}`] = letter.body.subarray(index * PROPERTY_BYTES, (index + 1) * PROPERTY_BYTES);
  }
  const { partition, sequenceNumber, enqueuedAt, code, reason, body, isRedacted } = letter;
  const properties = textOf(letter.properties);
  const systemProperties = textOf(letter.systemProperties);
  // Of the redacted event, because a digest of the original would allow to find a short secret by trial.
  const digest = createHash('sha256')
    .update(body)
    .update(`\n${properties}\n${systemProperties}`)
    .digest('hex');
  const key = letterKey(enqueuedAt, partition, sequenceNumber, digest.slice(0, DIGEST_DIGITS));
  return {
    partitionKey: key.day,
    rowKey: key.rowKey,
    properties: {
      partition,
      sequenceNumber: String(sequenceNumber),
      enqueuedAt,
      code,
      reason: cutText(reason, MAX_TEXT),
      ...namesIn(letter),
      bodyBytes: body.byteLength,
      ...(isRedacted ? { isRedacted } : {}),
      properties: cutText(properties, MAX_TEXT),
      systemProperties: cutText(systemProperties, MAX_TEXT),
      ...pieces,
    },
  };
}

/** The names in the event for lists, unchecked. */
function namesIn(letter: DeadLetter): Readonly<Record<string, string>> {
  const names = Object.entries(identityIn(letter));
  return Object.fromEntries(
    names.flatMap(([name, text]) => (text === undefined ? [] : [[name, cutText(text, MAX_NAME)]])),
  );
}

function summaryIn({ partitionKey, rowKey, properties }: Row): LetterSummary {
  const key = { day: partitionKey, rowKey };
  const text = (name: string) => {
    const value = properties[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    key,
    id: letterId(key),
    enqueuedAt: String(properties.enqueuedAt),
    code: String(properties.code) as ErrorCode,
    reason: String(properties.reason),
    hubName: text('hubName'),
    deviceId: text('deviceId'),
    moduleId: text('moduleId'),
  };
}

function letterIn({ partitionKey, rowKey, properties: row }: Row): KeptLetter {
  const key = { day: partitionKey, rowKey };
  const pieces = Array.from({ length: MAX_PIECES }, (_, index) => row[`body${index}`]);
  const body = Buffer.concat(pieces.filter((piece): piece is Uint8Array => piece instanceof Uint8Array));
  const properties = parse(row.properties);
  const systemProperties = parse(row.systemProperties);
  const bodyBytes = Number(row.bodyBytes);
  return {
    key,
    id: letterId(key),
    partition: String(row.partition),
    sequenceNumber: Number(row.sequenceNumber),
    enqueuedAt: String(row.enqueuedAt),
    code: String(row.code) as ErrorCode,
    reason: String(row.reason),
    body,
    bodyBytes,
    ...(row.isRedacted === true ? { isRedacted: true } : {}),
    properties: properties ?? { truncated: String(row.properties) },
    systemProperties: systemProperties ?? { truncated: String(row.systemProperties) },
    cut: [
      ...(body.byteLength < bodyBytes ? (['body'] as const) : []),
      ...(properties === undefined ? (['properties'] as const) : []),
      ...(systemProperties === undefined ? (['systemProperties'] as const) : []),
    ],
  };
}

/** The JSON of properties. A `bigint` becomes its digits. Line separators are escaped here, so that the length is right. */
function textOf(record: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(record, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return text.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** The beginning of a text. Half of a surrogate pair is replaced, because the tables may refuse it. */
function cutText(text: string, length: number): string {
  return Buffer.from(text.slice(0, length), 'utf8').toString('utf8');
}

function parse(text: unknown): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(String(text)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
