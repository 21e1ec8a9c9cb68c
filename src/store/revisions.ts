import { packDocument, unpackDocument } from './document.ts';
import type { Table } from './tables.ts';

const PARTITION = 'revisions';
const LAST_GOOD = 'last-good';

/** Every valid fleet file that has run, by its hash, and which one was the last. */
export class RevisionStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Keeps a valid file; it is the last good one unless a package that was built later has said otherwise. */
  async keep(revision: string, text: string, build: string): Promise<void> {
    if ((await this.#table.get(PARTITION, revision)) === undefined) {
      await this.#table.put(PARTITION, revision, packDocument(text));
    }
    const last = await this.#table.get(PARTITION, LAST_GOOD);
    if (last !== undefined && String(last.properties.build) > build) return;
    if (last?.properties.revision === revision && last.properties.build === build) return;
    await this.#table.putIfUnchanged(PARTITION, LAST_GOOD, { revision, build }, last?.etag);
  }

  /** The text of the last good file. */
  async lastGood(): Promise<string | undefined> {
    const last = await this.#table.get(PARTITION, LAST_GOOD);
    return last === undefined ? undefined : this.text(String(last.properties.revision));
  }

  async text(revision: string): Promise<string | undefined> {
    const row = await this.#table.get(PARTITION, revision);
    const text = row === undefined ? undefined : unpackDocument(row.properties);
    return typeof text === 'string' ? text : undefined;
  }
}
