import type { JsonValue } from '../../json/json.ts';
import { packDocument, unpackDocument } from '../tables/document.ts';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'progress';

/** How far long work has come, so that the next run goes on there, whichever instance has it. */
export class ProgressStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async read(name: string): Promise<JsonValue | undefined> {
    const row = await this.#table.get(PARTITION, name);
    return row === undefined ? undefined : unpackDocument(row.properties);
  }

  async write(name: string, progress: JsonValue): Promise<void> {
    await this.#table.put(PARTITION, name, packDocument(progress));
  }
}
