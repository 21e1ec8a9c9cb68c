// By name: in the bundle of the command, the default import of an ES module is the module itself.
import { limitFunction } from 'p-limit';
import type { Receipt } from '../../allocation/receipt/receipt.ts';
import { readReceipt } from '../../allocation/receipt/stored-receipt.ts';
import { BerthError } from '../../errors.ts';
import { type DocumentFormat, presentFormat } from '../../json/document-format.ts';
import { hash, sha256Hex } from '../../json/hash.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { packText } from '../tables/document.ts';
import { escapeId, prefixRange } from '../tables/keys.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

/** How many receipts are kept for a registration id. */
const MOST_RECEIPTS = 5;
/**
 * The number of partitions. Receipts of one flush that share a partition cost one transaction, and one partition takes 2,000 rows a
 * second (Azure Table storage, scalability targets), which is a hundred times what one DPS sends. It must never change, because it
 * decides where the receipts of an id are.
 */
const PARTITIONS = 4;
/** A transaction has at most 100 rows, and 4 MiB with the overhead of its text (Azure Table storage, entity group transactions). */
const MOST_ROWS = 100;
const MOST_BYTES = 2 * 1024 * 1024;
/**
 * A device that registers for the first time has no older receipts, so that they are looked up only for one in this many. All
 * other registrations look them up.
 */
const LOOK_UP_ONE_IN = 64;
/** The most receipts that one call of `forget` deletes, and how many of them at the same time. */
const MOST_FORGOTTEN = 200;
const CONCURRENCY = 8;
/** The receipts that one call of `forget` looks at. */
const PAGE = 1_000;
/** Row keys before and after all others. Registration ids are printable ASCII. */
const [FIRST, LAST] = ['', '\u007f'];

/** The format of stored receipts. A change of the schema is a new format with a step. */
export const RECEIPT_FORMAT: DocumentFormat<Receipt> = {
  document: 'receipt',
  steps: [
    // Format 2 adds the parent that a rule named.
    (document) => document,
    // Format 3 adds the paths that were not there. Without them, a value that is not in the receipt is not known.
    (document) => document,
  ],
  read: readReceipt,
};

const FORMAT = presentFormat(RECEIPT_FORMAT);

/** A receipt with its JSON, which the log line has too. */
export interface WrittenReceipt {
  readonly receipt: Receipt;
  readonly text: string;
}

/**
 * The last receipts of each registration id. A receipt may be lost, because the log line is the record. Receipts of a newer
 * package stay, and damaged ones are ignored.
 *
 * The key of a row is the registration id with the format and a hash of the decision. So a receipt is written without a read. DPS may
 * send eleven requests for one registration: a receipt that repeats another one replaces it. One of another format does not.
 */
export class ReceiptStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<Receipt>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(RECEIPT_FORMAT, onNewer);
  }

  /**
   * Stores receipts with as few transactions as possible, and removes older ones of the same ids.
   *
   * @returns how many could not be stored
   */
  async keepAll(receipts: readonly WrittenReceipt[]): Promise<number> {
    const batches = batchesOf(receipts.map(rowOf));
    const results = await Promise.allSettled(batches.map((batch) => this.#write(batch)));
    return results.reduce(
      (lost, { status }, index) => lost + (status === 'rejected' ? (batches[index]?.length ?? 0) : 0),
      0,
    );
  }

  /** Stores one receipt. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
  async keep(receipt: Receipt): Promise<void> {
    await this.#write([rowOf({ receipt, text: JSON.stringify(receipt) })]);
  }

  async #write(rows: readonly ReceiptRow[]): Promise<void> {
    const [first] = rows;
    if (first === undefined) return;
    if (rows.length === 1) await this.#table.put(first.partitionKey, first.rowKey, first.columns);
    else {
      const written = await this.#table.transact(
        rows.map(({ partitionKey, rowKey, columns }) => [
          'upsert',
          { ...columns, partitionKey, rowKey },
          'Replace',
        ]),
      );
      if (!written.ok) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'The receipts could not be stored.');
    }
    const ids = new Set(rows.filter(mayHaveOlder).map(({ registrationId }) => registrationId));
    // The receipts are stored. If older ones cannot be removed now, the next receipt of the id removes them.
    await Promise.allSettled([...ids].map((id) => this.#trim(id)));
  }

  /** Removes all but the last receipts of an id. */
  async #trim(registrationId: string): Promise<void> {
    const rows = await this.#rows(registrationId);
    const own = rows.filter((row) => this.#documents.newerIn(row, registrationId) === undefined);
    const newest = new Set(
      own.filter(({ properties }) => properties.at instanceof Date).slice(0, MOST_RECEIPTS),
    );
    const old = own.filter((row) => !newest.has(row));
    await Promise.all(old.map((row) => this.#table.delete(row.partitionKey, row.rowKey)));
  }

  /** The rows of an id, the newest first. */
  async #rows(registrationId: string): Promise<readonly Row[]> {
    const range = prefixRange(keyPrefix(registrationId));
    const rows = await this.#table.list({ partitionKey: partitionOf(registrationId), range });
    return [...rows].sort(byAge).reverse();
  }

  /** The receipts of a registration id, the newest first, without those of a newer package. */
  async list(registrationId: string): Promise<readonly Receipt[]> {
    const receipts = (await this.#rows(registrationId)).flatMap((row) => {
      const read = this.#documents.read(row, registrationId);
      return read.kind === 'known' ? [read.value] : [];
    });
    return receipts.slice(0, MOST_RECEIPTS);
  }

  /**
   * The receipts of all registration ids; those of one id together, the newest first. Scans the table.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) at a receipt of a newer package, because the older ones do not show the
   *   present hub of the device
   */
  async *all(): AsyncGenerator<readonly Receipt[]> {
    let rows: Row[] = [];
    for await (const page of this.#table.scan({})) {
      for (const row of page) {
        if (rows[0] !== undefined && idIn(rows[0]) !== idIn(row)) {
          yield this.#receiptsIn(rows);
          rows = [];
        }
        rows.push(row);
      }
    }
    if (rows.length > 0) yield this.#receiptsIn(rows);
  }

  /**
   * The newest receipt of each registration id, without those of a newer package.
   *
   * @returns undefined if there are more than `most` registration ids
   */
  async newest(most: number): Promise<readonly Receipt[] | undefined> {
    const newestRows = new Map<string, Row>();
    for await (const page of this.#table.scan({})) {
      for (const row of page) {
        const id = idIn(row);
        const known = newestRows.get(id);
        if (known === undefined || byAge(known, row) < 0) newestRows.set(id, row);
      }
      if (newestRows.size > most) return undefined;
    }
    return [...newestRows].flatMap(([id, row]) => {
      const read = this.#documents.read(row, id);
      return read.kind === 'known' ? [read.value] : [];
    });
  }

  /**
   * The keys of the receipts of a device, under any registration id. Scans the table. Case does not matter, because it does
   * not for registration ids.
   */
  async *keysOf(deviceId: string): AsyncGenerator<ReceiptKey> {
    const own = keyPrefix(deviceId);
    for (const row of await this.#rows(deviceId)) {
      const read = this.#documents.read(row, deviceId);
      // A damaged receipt of this registration id is most likely about this device.
      const id = read.kind === 'known' ? deviceIdOf(read.value) : String(row.properties.deviceId ?? deviceId);
      if (id.toLowerCase() === deviceId.toLowerCase()) yield row;
    }
    for await (const page of this.#table.scan({ where: ['deviceId', deviceId], select: [] })) {
      for (const row of page) if (!row.rowKey.startsWith(own)) yield row;
    }
  }

  /**
   * Deletes old receipts among the next thousand, at most 200, because each is a call. Receipts of a newer package stay.
   *
   * @param from `next` of the call before. Undefined: the beginning of the table.
   * @returns `next` undefined: this was the end of the table.
   */
  async forget(
    before: EpochMs,
    from: string | undefined,
  ): Promise<{ readonly deleted: number; readonly next: string | undefined }> {
    let place: Place | undefined = placeOf(from);
    const chosen: Row[] = [];
    for (let seen = 0; place !== undefined && seen < PAGE && chosen.length < MOST_FORGOTTEN; ) {
      const limit: number = PAGE - seen;
      const page: readonly Row[] = await this.#table.list({
        partitionKey: String(place.partition),
        range: [place.rowKey, LAST],
        select: ['at', 'format'],
        limit,
      });
      const old = page.filter(
        (row) => isOld(row, before) && this.#documents.newerIn(row, idIn(row)) === undefined,
      );
      const room = MOST_FORGOTTEN - chosen.length;
      chosen.push(...old.slice(0, room));
      seen += page.length;
      place = placeAfter(place, page, limit, old[room]);
    }
    const remove = limitFunction(
      ({ partitionKey, rowKey, etag }: Row) => this.#table.deleteIfUnchanged(partitionKey, rowKey, etag),
      { concurrency: CONCURRENCY },
    );
    // A receipt that was replaced in between is not old.
    const results = await Promise.all(chosen.map(remove));
    const deleted = results.filter((result) => result === 'deleted').length;
    return { deleted, next: place && `${place.partition}/${place.rowKey}` };
  }

  /** Deletes receipts. A receipt that does not exist is not an error. */
  async delete(keys: readonly ReceiptKey[]): Promise<void> {
    for (const { partitionKey, rowKey } of keys) await this.#table.delete(partitionKey, rowKey);
  }

  #receiptsIn(rows: readonly Row[]): readonly Receipt[] {
    const newestFirst = [...rows].sort(byAge).reverse();
    return newestFirst
      .flatMap((row) => this.#documents.readOrRefuse(row, idIn(row)) ?? [])
      .slice(0, MOST_RECEIPTS);
  }
}

/** The place of a receipt. */
export type ReceiptKey = Pick<Row, 'partitionKey' | 'rowKey'>;

/** Where `forget` goes on: `PARTITION/ROW KEY`. What cannot be read is the beginning. */
interface Place {
  readonly partition: number;
  readonly rowKey: string;
}

function placeOf(from: string | undefined): Place {
  const [, partition = '', rowKey = ''] = /^(\d)\/(.*)$/.exec(from ?? '') ?? [];
  const isKnown = partition !== '' && Number(partition) < PARTITIONS;
  return isKnown ? { partition: Number(partition), rowKey } : { partition: 0, rowKey: FIRST };
}

/**
 * Where to go on after a page. Undefined: it was the last.
 *
 * @param left the first old receipt that was not deleted.
 */
function placeAfter(
  { partition }: Place,
  page: readonly Row[],
  limit: number,
  left: Row | undefined,
): Place | undefined {
  if (left !== undefined) return { partition, rowKey: left.rowKey };
  const last = page.at(-1);
  if (page.length === limit && last !== undefined) return { partition, rowKey: `${last.rowKey}\u0000` };
  return partition + 1 < PARTITIONS ? { partition: partition + 1, rowKey: FIRST } : undefined;
}

/** The device that a receipt is about. An enrollment can give it another id than the registration has. */
export function deviceIdOf({ inputs }: Receipt): string {
  return inputs.deviceId ?? inputs.currentDeviceId ?? inputs.registrationId;
}

/** A row to write. */
interface ReceiptRow {
  readonly registrationId: string;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly columns: Row['properties'];
  readonly bytes: number;
  /** Equal for equal decisions. */
  readonly essence: string;
  readonly isFirst: boolean;
}

function rowOf({ receipt, text }: WrittenReceipt): ReceiptRow {
  const { registrationId, currentHub } = receipt.inputs;
  const essence = essenceOf(receipt);
  return {
    registrationId,
    partitionKey: partitionOf(registrationId),
    rowKey: `${keyPrefix(registrationId)}${FORMAT}|${essence}`,
    columns: {
      at: new Date(receipt.at),
      deviceId: deviceIdOf(receipt),
      format: FORMAT,
      ...packText(text),
    },
    bytes: text.length,
    essence,
    isFirst: currentHub === undefined,
  };
}

/** Whether there may be older receipts of the id. For first registrations, a hash of the decision chooses one in 64. */
function mayHaveOlder({ isFirst, essence }: ReceiptRow): boolean {
  return !isFirst || Number.parseInt(essence.slice(0, 4), 16) % LOOK_UP_ONE_IN === 0;
}

/** The rows by partition, in parts that fit into a transaction. Of rows with one key, the last counts. */
function batchesOf(rows: readonly ReceiptRow[]): readonly (readonly ReceiptRow[])[] {
  const byKey = new Map(rows.map((row) => [row.rowKey, row]));
  const batches: ReceiptRow[][] = [];
  const open = new Map<string, { readonly rows: ReceiptRow[]; bytes: number }>();
  for (const row of byKey.values()) {
    let batch = open.get(row.partitionKey);
    if (batch === undefined || batch.rows.length === MOST_ROWS || batch.bytes + row.bytes > MOST_BYTES) {
      batch = { rows: [], bytes: 0 };
      open.set(row.partitionKey, batch);
      batches.push(batch.rows);
    }
    batch.rows.push(row);
    batch.bytes += row.bytes;
  }
  return batches;
}

/** Registration ids are not case-sensitive. */
function partitionOf(registrationId: string): string {
  return String(hash(registrationId.toLowerCase()) % PARTITIONS);
}

function keyPrefix(registrationId: string): string {
  return `${escapeId(registrationId.toLowerCase())}|`;
}

/** The escaped registration id of a row. */
function idIn({ rowKey }: Row): string {
  return rowKey.split('|', 1)[0] ?? '';
}

/** A receipt without a readable time is as good as none. */
function isOld({ properties }: Row, before: EpochMs): boolean {
  return !(properties.at instanceof Date) || properties.at.getTime() < before;
}

function byAge(left: Row, right: Row): number {
  return Number(left.properties.at) - Number(right.properties.at);
}

/**
 * Equal for equal decisions. The time and the age of the conditions do not matter. 64 bits of SHA-256 are enough for the few receipts
 * of one id.
 */
function essenceOf({ result, inputs, revision }: Receipt): string {
  return sha256Hex(JSON.stringify([result, inputs, revision])).slice(0, 16);
}
