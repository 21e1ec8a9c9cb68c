import type { DocumentFormat } from '../../json/document-format.ts';
import type { JsonValue } from '../../json/json.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

const PARTITION = 'progress';

/** Each kind of work reads its progress with its own schema. If it cannot use the progress, it starts again. */
export const PROGRESS_FORMAT: DocumentFormat<JsonValue> = {
  document: 'progress',
  steps: [],
  read: (document) => document as JsonValue,
};

/** Stores the progress of long work, so that the next run continues there, on any instance. */
export class ProgressStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<JsonValue>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(PROGRESS_FORMAT, onNewer);
  }

  /**
   * Undefined: there is none, or it is damaged.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has started the work
   */
  async read(name: string): Promise<JsonValue | undefined> {
    return this.#progressIn(name, await this.#table.get(PARTITION, name));
  }

  /** @throws as `read`. Progress of a newer package stays. */
  async write(name: string, progress: JsonValue): Promise<void> {
    const put = this.#documents.columns(progress);
    await this.#table.update(PARTITION, name, (row) => {
      this.#progressIn(name, row);
      return { put, result: undefined };
    });
  }

  #progressIn(name: string, row: Row | undefined): JsonValue | undefined {
    return row === undefined ? undefined : this.#documents.readOrRefuse(row, name);
  }
}
