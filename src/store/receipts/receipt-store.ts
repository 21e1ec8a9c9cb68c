import type { Receipt } from '../../allocation/receipt/receipt.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson, type JsonObject } from '../../json/json.ts';
import { packDocument, unpackDocument } from '../tables/document.ts';
import { escapeId } from '../tables/keys.ts';
import type { Row, Table } from '../tables/tables.ts';

/** How many receipts are kept for a registration id. */
const SLOTS = 5;

/** The last receipts of each registration id. Best effort: the log line is the record. */
export class ReceiptStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * Keeps a receipt in place of the oldest. DPS may ask eleven times for one registration, so a repetition
   * replaces what it repeats.
   */
  async keep(receipt: Receipt): Promise<void> {
    const partition = partitionOf(receipt.inputs.registrationId);
    const rows = [...(await this.#table.list({ partitionKey: partition }))].sort(byAge);
    const essence = essenceOf(receipt);
    const newest = rows.at(-1);
    const slot =
      newest?.properties.essence === essence ? newest.rowKey : (freeSlot(rows) ?? rows[0]?.rowKey ?? '0');
    await this.#table.put(partition, slot, { at: new Date(receipt.at), essence, ...packDocument(receipt) });
  }

  /** The receipts of a registration id, the newest first. */
  async list(registrationId: string): Promise<readonly Receipt[]> {
    const rows = [...(await this.#table.list({ partitionKey: partitionOf(registrationId) }))]
      .sort(byAge)
      .reverse();
    return rows.map(receiptIn);
  }

  /** The receipts of every registration id, the newest first, in the order of the ids. A scan of the table. */
  async *all(): AsyncGenerator<readonly Receipt[]> {
    let rows: Row[] = [];
    for await (const page of this.#table.scan({})) {
      for (const row of page) {
        if (rows[0] !== undefined && rows[0].partitionKey !== row.partitionKey) {
          yield rows.sort(byAge).reverse().map(receiptIn);
          rows = [];
        }
        rows.push(row);
      }
    }
    if (rows.length > 0) yield rows.sort(byAge).reverse().map(receiptIn);
  }
}

function receiptIn({ properties }: Row): Receipt {
  return unpackDocument(properties) as unknown as Receipt;
}

/** Registration ids are compared whatever their case. */
function partitionOf(registrationId: string): string {
  return escapeId(registrationId.toLowerCase());
}

function freeSlot(rows: readonly Row[]): string | undefined {
  const taken = new Set(rows.map(({ rowKey }) => rowKey));
  return Array.from({ length: SLOTS }, (_, slot) => String(slot)).find((slot) => !taken.has(slot));
}

function byAge(left: Row, right: Row): number {
  return Number(left.properties.at) - Number(right.properties.at);
}

/** What makes two decisions the same: all but the time and the age of the conditions. */
function essenceOf({ outcome, inputs, revision }: Receipt): string {
  return sha256Hex(canonicalJson(JSON.parse(JSON.stringify({ outcome, inputs, revision })) as JsonObject));
}
