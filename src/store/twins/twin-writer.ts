import type { TransactionAction } from '@azure/data-tables';
import type { Table } from '../tables/tables.ts';

/**
 * Rows of one twin that change together. `bucket` is the partition of the table in which all of them are. The etag of the snapshot decides whether the change is still valid.
 */
export interface RowChange {
  readonly bucket: string;
  readonly snapshot: TransactionAction;
  /** Attention, work item and tombstone. It is not an error if a row to delete does not exist. */
  readonly others: readonly TransactionAction[];
}

/** The new etag of the snapshot. `'conflict'`: another writer has changed it. */
export type RowResult = { readonly etag: string | undefined } | 'conflict';

/**
 * A transaction may have 100 rows and 4 MiB (Azure Table storage entity group transactions). The rest is for its own text.
 */
const MAX_ACTIONS = 100;
const MAX_BYTES = 3 * 1024 * 1024;

interface Waiting {
  readonly change: RowChange;
  readonly bytes: number;
  readonly resolve: (result: RowResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Combines the changes of many twins into few transactions. While a transaction of a partition is in progress, new changes
 * for this partition wait, and are sent together in the next one.
 */
export class TwinWriter {
  readonly #table: Table;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(table: Table) {
    this.#table = table;
  }

  write(change: RowChange): Promise<RowResult> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { change, bytes: sizeOf(change), resolve, reject };
      const queue = this.#waiting.get(change.bucket);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      this.#waiting.set(change.bucket, [waiting]);
      // Changes of the same tick, such as those of a batch, are sent in one transaction.
      setImmediate(() => void this.#drain(change.bucket));
    });
  }

  async #drain(bucket: string): Promise<void> {
    const queue = this.#waiting.get(bucket) ?? [];
    while (queue.length > 0) await this.#send(take(queue));
    this.#waiting.delete(bucket);
  }

  /**
   * Sends changes together. If one of them fails, it gets its result, and the others are sent again. This ends, because each
   * round has fewer changes or actions.
   */
  async #send(batch: readonly Waiting[]): Promise<void> {
    const rows = batch.flatMap((waiting) =>
      [waiting.change.snapshot, ...waiting.change.others].map((action) => ({ waiting, action })),
    );
    try {
      const result = await this.#table.transact(rows.map(({ action }) => action));
      if (result.ok) {
        rows.forEach(({ waiting, action }, index) => {
          if (action === waiting.change.snapshot) waiting.resolve({ etag: result.etags[index] });
        });
        return;
      }
      const fault = result.failed === undefined ? undefined : rows[result.failed];
      if (fault === undefined) {
        if (batch.length === 1) batch[0]?.resolve('conflict');
        else for (const waiting of batch) await this.#send([waiting]);
        return;
      }
      const rest = batch.filter((waiting) => waiting !== fault.waiting);
      if (result.why === 'missing' && fault.action !== fault.waiting.change.snapshot) {
        await this.#send([...rest, without(fault.waiting, fault.action)]);
        return;
      }
      fault.waiting.resolve('conflict');
      if (rest.length > 0) await this.#send(rest);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }
}

/** The changes of the next transaction: as many as fit, and only one for each twin. */
function take(queue: Waiting[]): readonly Waiting[] {
  const taken: Waiting[] = [];
  const twins = new Set<string>();
  let actions = 0;
  let bytes = 0;
  for (let index = 0; index < queue.length; ) {
    const next = queue[index];
    if (next === undefined) break;
    const size = 1 + next.change.others.length;
    const full = taken.length > 0 && (actions + size > MAX_ACTIONS || bytes + next.bytes > MAX_BYTES);
    if (full) break;
    const { partitionKey, rowKey } = next.change.snapshot[1];
    const key = `${partitionKey} ${rowKey}`;
    if (twins.has(key)) {
      index += 1;
      continue;
    }
    twins.add(key);
    actions += size;
    bytes += next.bytes;
    taken.push(next);
    queue.splice(index, 1);
  }
  return taken;
}

function without(waiting: Waiting, action: TransactionAction): Waiting {
  const others = waiting.change.others.filter((other) => other !== action);
  return { ...waiting, change: { ...waiting.change, others } };
}

/** The approximate size of a change in the body of the transaction, in which bytes are base64. */
function sizeOf(change: RowChange): number {
  return [change.snapshot, ...change.others].reduce((sum, [, entity]) => {
    const properties = Object.values(entity).reduce<number>(
      (bytes, value) => bytes + (value instanceof Uint8Array ? value.length * 1.4 : String(value).length),
      0,
    );
    return sum + 1_500 + properties;
  }, 0);
}
