// By name: in the bundle of the command, the default import of an ES module is the module itself.
import { limitFunction } from 'p-limit';
import type { Receipt } from '../../allocation/receipt/receipt.ts';
import { readReceipt } from '../../allocation/receipt/stored-receipt.ts';
import type { DocumentFormat } from '../../json/document-format.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson, type JsonObject } from '../../json/json.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { escapeId } from '../tables/keys.ts';
import { NewerFormatError, type OnNewerFormat } from '../tables/newer-format.ts';
import { untilStored } from '../tables/optimistic.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

/** How many receipts are kept for a registration id. */
const SLOTS = 5;
/** The most receipts that one call of `forget` deletes, and how many of them at the same time. */
const MOST_FORGOTTEN = 200;
const CONCURRENCY = 8;
/** Keys before and after all registration ids, which are printable ASCII in lower case, and the next key after one. */
const [FIRST, LAST, AFTER] = [' ', '\u007f', '\u0000'];

/** The format of stored receipts. A change of the schema is a new format with a step. */
export const RECEIPT_FORMAT: DocumentFormat<Receipt> = {
  document: 'receipt',
  steps: [
    // Format 2 adds the parent that a rule named.
    (document) => document,
  ],
  read: readReceipt,
};

/**
 * The last receipts of each registration id. A receipt may be lost, because the log line is the record. Receipts of a newer
 * package stay, and damaged ones are ignored.
 */
export class ReceiptStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<Receipt>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(RECEIPT_FORMAT, onNewer);
  }

  /**
   * Stores a receipt in place of the oldest. DPS may send eleven requests for one registration, so a repeated receipt
   * replaces the last one.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if receipts of a newer package have all places
   */
  async keep(receipt: Receipt): Promise<void> {
    const partition = partitionOf(receipt.inputs.registrationId);
    const essence = essenceOf(receipt);
    const deviceId = deviceIdOf(receipt);
    const columns = { at: new Date(receipt.at), deviceId, essence, ...this.#documents.columns(receipt) };
    await untilStored(`The receipts of ${partition}`, async () => {
      const rows = [...(await this.#table.list({ partitionKey: partition }))].sort(byAge);
      const newer = new Map(rows.map((row) => [row, this.#documents.newerIn(row, partition)]));
      const own = rows.filter((row) => newer.get(row) === undefined);
      const newest = own.at(-1);
      const free = freeSlot(rows);
      const replaced =
        newest?.properties.essence === essence ? newest : free === undefined ? own[0] : undefined;
      const [met] = [...newer.values()].filter((each) => each !== undefined);
      const slot = replaced?.rowKey ?? free;
      if (slot === undefined && met !== undefined) throw new NewerFormatError(met);
      return this.#table.putIfUnchanged(partition, slot ?? '0', columns, replaced?.etag);
    });
  }

  /** The receipts of a registration id, the newest first, without those of a newer package. */
  async list(registrationId: string): Promise<readonly Receipt[]> {
    const rows = [...(await this.#table.list({ partitionKey: partitionOf(registrationId) }))]
      .sort(byAge)
      .reverse();
    return rows.flatMap((row) => {
      const read = this.#documents.read(row, row.partitionKey);
      return read.kind === 'known' ? [read.value] : [];
    });
  }

  /**
   * The receipts of all registration ids, in the order of the ids; those of one id with the newest first. Scans the table.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) at a receipt of a newer package, because the older ones do not show the
   *   present hub of the device
   */
  async *all(): AsyncGenerator<readonly Receipt[]> {
    let rows: Row[] = [];
    for await (const page of this.#table.scan({})) {
      for (const row of page) {
        if (rows[0] !== undefined && rows[0].partitionKey !== row.partitionKey) {
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
        const known = newestRows.get(row.partitionKey);
        if (known === undefined || byAge(known, row) < 0) newestRows.set(row.partitionKey, row);
      }
      if (newestRows.size > most) return undefined;
    }
    return [...newestRows.values()].flatMap((row) => {
      const read = this.#documents.read(row, row.partitionKey);
      return read.kind === 'known' ? [read.value] : [];
    });
  }

  /**
   * The keys of the receipts of a device, under any registration id. Scans the table. Case does not matter, because it does
   * not for registration ids.
   */
  async *keysOf(deviceId: string): AsyncGenerator<ReceiptKey> {
    const own = partitionOf(deviceId);
    for (const row of await this.#table.list({ partitionKey: own })) {
      const read = this.#documents.read(row, own);
      // A damaged receipt of this registration id is most likely about this device.
      const id = read.kind === 'known' ? deviceIdOf(read.value) : String(row.properties.deviceId ?? deviceId);
      if (id.toLowerCase() === deviceId.toLowerCase()) yield keyOf(row);
    }
    for await (const page of this.#table.scan({ where: ['deviceId', deviceId], select: [] })) {
      for (const row of page) if (row.partitionKey !== own) yield keyOf(row);
    }
  }

  /**
   * Deletes old receipts on one page of the table: at most 200, because each is a call. Receipts of a newer package stay.
   *
   * @param from where the page begins: `next` of the page before. Undefined: the beginning of the table.
   * @returns `next` undefined: this was the end of the table.
   */
  async forget(
    before: EpochMs,
    from: string | undefined,
  ): Promise<{ readonly deleted: number; readonly next: string | undefined }> {
    const page = await this.#pageFrom(from ?? FIRST);
    const old = page.filter(
      (row) => isOld(row, before) && this.#documents.newerIn(row, row.partitionKey) === undefined,
    );
    const now = old.slice(0, MOST_FORGOTTEN);
    const remove = limitFunction(
      ({ partitionKey, rowKey, etag }: Row) => this.#table.deleteIfUnchanged(partitionKey, rowKey, etag),
      { concurrency: CONCURRENCY },
    );
    // A receipt that was replaced in between is not old.
    const results = await Promise.all(now.map(remove));
    const deleted = results.filter((result) => result === 'deleted').length;
    const last = (old.length > now.length ? now : page).at(-1)?.partitionKey;
    // The page may end within the receipts of an id. If it has no other id, the next page begins after it.
    const next = last === from ? `${last}${AFTER}` : last;
    return { deleted, next: last === undefined ? undefined : next };
  }

  async #pageFrom(partition: string): Promise<readonly Row[]> {
    const pages = this.#table.scan({ partitions: [partition, LAST], select: ['at', 'format'] });
    const { value } = await pages.next();
    await pages.return(undefined);
    return (value ?? []) as readonly Row[];
  }

  /** Deletes receipts. A receipt that does not exist is not an error. */
  async delete(keys: readonly ReceiptKey[]): Promise<void> {
    for (const { partition, slot } of keys) await this.#table.delete(partition, slot);
  }

  #receiptsIn(rows: readonly Row[]): readonly Receipt[] {
    const newestFirst = [...rows].sort(byAge).reverse();
    return newestFirst.flatMap((row) => this.#documents.readOrRefuse(row, row.partitionKey) ?? []);
  }
}

/** The place of a receipt. */
export interface ReceiptKey {
  readonly partition: string;
  readonly slot: string;
}

function keyOf({ partitionKey, rowKey }: Row): ReceiptKey {
  return { partition: partitionKey, slot: rowKey };
}

/** The device that a receipt is about. An enrollment can give it another id than the registration has. */
export function deviceIdOf({ inputs }: Receipt): string {
  return inputs.deviceId ?? inputs.currentDeviceId ?? inputs.registrationId;
}

/** Registration ids are not case-sensitive. */
function partitionOf(registrationId: string): string {
  return escapeId(registrationId.toLowerCase());
}

function freeSlot(rows: readonly Row[]): string | undefined {
  const taken = new Set(rows.map(({ rowKey }) => rowKey));
  return Array.from({ length: SLOTS }, (_, slot) => String(slot)).find((slot) => !taken.has(slot));
}

/** A receipt without a readable time is as good as none. */
function isOld({ properties }: Row, before: EpochMs): boolean {
  return !(properties.at instanceof Date) || properties.at.getTime() < before;
}

function byAge(left: Row, right: Row): number {
  return Number(left.properties.at) - Number(right.properties.at);
}

/** Equal for equal decisions. The time and the age of the conditions do not matter. */
function essenceOf({ result, inputs, revision }: Receipt): string {
  return sha256Hex(canonicalJson(JSON.parse(JSON.stringify({ result, inputs, revision })) as JsonObject));
}
