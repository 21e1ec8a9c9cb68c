import { createHash, randomBytes } from 'node:crypto';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'keys';
const ROW = 'redaction';

/** The key of the hashes of redacted values. It is made once and is the same for all instances. */
export class RedactionKeyStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async get(): Promise<Uint8Array> {
    return this.#table.update(PARTITION, ROW, (row) => {
      const known = row?.properties.key;
      if (known instanceof Uint8Array) return { put: 'unchanged', result: known };
      const key = new Uint8Array(randomBytes(32));
      return { put: { key }, result: key };
    });
  }

  /** Identifies the key without giving it away. Undefined: there is no key yet, and none is made. */
  async fingerprint(): Promise<string | undefined> {
    const key = (await this.#table.get(PARTITION, ROW))?.properties.key;
    if (!(key instanceof Uint8Array)) return undefined;
    return createHash('sha256').update('berth redaction key').update(key).digest('hex').slice(0, 16);
  }
}
