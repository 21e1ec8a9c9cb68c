import * as z from 'zod';
import type { Models } from '../../fleet/fleet.ts';
import type { DocumentFormat } from '../../json/document-format.ts';
import { NewerFormatError, type OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

export const REVISIONS_PARTITION = 'revisions';
/** The key of the row that names the last valid fleet file. */
export const LAST_GOOD = 'last-good';

/** A fleet file that has run: its text and its device models. */
export interface FleetRevision {
  readonly text: string;
  readonly models: Models;
  /** The author of the commit of the package that stored it first. Undefined: not known. */
  readonly author?: string | undefined;
}

const revisionSchema = z.object({
  text: z.string(),
  models: z.record(z.string(), z.array(z.string())),
  author: z.string().optional(),
});

/** Format 1 has no number. In it, a file without models is only its text. */
export const REVISION_FORMAT: DocumentFormat<FleetRevision> = {
  document: 'fleet revision',
  steps: [
    (document) => (typeof document === 'string' ? { text: document, models: {} } : document),
    // Format 3 adds the author.
    (document) => document,
  ],
  unnumbered: 1,
  read: (document) => revisionSchema.safeParse(document).data,
};

/**
 * The row of the last valid file: its hash, and the build time of the package that stored it. It has the format of the
 * revisions.
 */
export const LAST_GOOD_FORMAT: DocumentFormat<{ readonly revision: string; readonly build: string }> = {
  document: 'fleet revision',
  steps: REVISION_FORMAT.steps.map(() => (document) => document),
  unnumbered: 1,
  read: (document) => z.object({ revision: z.string(), build: z.string() }).safeParse(document).data,
};

/** Stores every valid fleet file that has run, by its hash, and which one was the last. */
export class RevisionStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<FleetRevision>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(REVISION_FORMAT, onNewer);
  }

  /**
   * Stores a valid file. It becomes the last valid one, unless a package that was built later has stored another. A damaged
   * row is written again; a row of a newer package is not.
   */
  async keep(
    revision: string,
    text: string,
    build: string,
    models: Models = {},
    author?: string,
  ): Promise<void> {
    const columns = this.#documents.columns({ text, models, ...(author === undefined ? {} : { author }) });
    await this.#table.update(REVISIONS_PARTITION, revision, (row) => {
      const isKept = row !== undefined && this.#documents.read(row, revision).kind !== 'damaged';
      return { put: isKept ? 'unchanged' : columns, result: undefined };
    });
    const { format } = columns;
    await this.#table.update(REVISIONS_PARTITION, LAST_GOOD, (last) => {
      const isKept = last !== undefined && this.#isKept(last, revision, build);
      return { put: isKept ? 'unchanged' : { format, revision, build }, result: undefined };
    });
  }

  /**
   * The last valid file.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has stored it
   */
  async lastGood(): Promise<FleetRevision | undefined> {
    const last = await this.#table.get(REVISIONS_PARTITION, LAST_GOOD);
    if (last === undefined) return undefined;
    const met = this.#documents.newerIn(last, LAST_GOOD);
    if (met !== undefined) throw new NewerFormatError(met);
    return this.get(String(last.properties.revision));
  }

  /** A file that has run. Undefined: there is none with this hash, or it is damaged. @throws as `lastGood` */
  async get(revision: string): Promise<FleetRevision | undefined> {
    const row = await this.#table.get(REVISIONS_PARTITION, revision);
    return row === undefined ? undefined : this.#documents.readOrRefuse(row, revision);
  }

  /** Whether the present last valid file stays. */
  #isKept(last: Row, revision: string, build: string): boolean {
    if (String(last.properties.build) > build) return true;
    if (last.properties.revision === revision && last.properties.build === build) return true;
    return this.#documents.newerIn(last, LAST_GOOD) !== undefined;
  }
}
