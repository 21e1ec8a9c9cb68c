import { randomBytes } from 'node:crypto';
import { BerthError } from '../../errors.ts';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'keys';
const ROW = 'redaction';

/** The key of the hashes that stand for redacted values: made once, the same for all instances. */
export class RedactionKeyStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async get(): Promise<Uint8Array> {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const row = await this.#table.get(PARTITION, ROW);
      if (row?.properties.key instanceof Uint8Array) return row.properties.key;
      const key = new Uint8Array(randomBytes(32));
      if ((await this.#table.putIfUnchanged(PARTITION, ROW, { key }, row?.etag)) === 'written') return key;
    }
    throw new BerthError('BERTH_STORE_UNAVAILABLE', 'The key for redacted values cannot be made.');
  }
}
