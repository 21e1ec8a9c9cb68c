import * as z from 'zod';
import type { Models } from '../../fleet/fleet.ts';
import { packDocument, unpackDocument } from '../tables/document.ts';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'revisions';
const LAST_GOOD = 'last-good';

/** A fleet file as it has run: its text, and what it knew of device models. */
export interface FleetRevision {
  readonly text: string;
  readonly models: Models;
}

/** A file without models is stored as its text alone. */
const withModels = z.object({ text: z.string(), models: z.record(z.string(), z.array(z.string())) });

/** Every valid fleet file that has run, by its hash, and which one was the last. */
export class RevisionStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Keeps a valid file; it is the last good one unless a package that was built later has said otherwise. */
  async keep(revision: string, text: string, build: string, models: Models = {}): Promise<void> {
    if ((await this.#table.get(PARTITION, revision)) === undefined) {
      const document = Object.keys(models).length === 0 ? text : { text, models };
      await this.#table.put(PARTITION, revision, packDocument(document));
    }
    const last = await this.#table.get(PARTITION, LAST_GOOD);
    if (last !== undefined && String(last.properties.build) > build) return;
    if (last?.properties.revision === revision && last.properties.build === build) return;
    await this.#table.putIfUnchanged(PARTITION, LAST_GOOD, { revision, build }, last?.etag);
  }

  /** The last good file. */
  async lastGood(): Promise<FleetRevision | undefined> {
    const last = await this.#table.get(PARTITION, LAST_GOOD);
    return last === undefined ? undefined : this.get(String(last.properties.revision));
  }

  async get(revision: string): Promise<FleetRevision | undefined> {
    const row = await this.#table.get(PARTITION, revision);
    const document = row === undefined ? undefined : unpackDocument(row.properties);
    if (typeof document === 'string') return { text: document, models: {} };
    return withModels.safeParse(document).data;
  }
}
