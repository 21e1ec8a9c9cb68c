import { CONTROL_FORMAT, type Control, controlSchema } from '../../control/control.ts';
import { BerthError } from '../../errors.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import { type Row, TABLES, type Table } from '../tables/tables.ts';

export const CONTROL_PARTITION = 'control';
const ROW = 'control';

/** Stores the control row, which every writer checks first. */
export class ControlStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<Control>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(CONTROL_FORMAT, onNewer);
  }

  /**
   * The control row. Without a row, nothing is paused.
   *
   * @throws BerthError `BERTH_STORE_UNAVAILABLE` if it cannot be read
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has written it
   */
  async read(): Promise<Control> {
    return this.#controlIn(await this.#table.get(CONTROL_PARTITION, ROW));
  }

  /** Changes the row, and repeats that if another writer changed it in between. @throws as `read` */
  async update(change: (control: Control) => Control): Promise<Control> {
    return this.#table.update(CONTROL_PARTITION, ROW, (row) => {
      const control = this.#controlIn(row);
      const next = change(control);
      return { put: next === control ? 'unchanged' : this.#documents.columns(next), result: next };
    });
  }

  #controlIn(row: Row | undefined): Control {
    if (row === undefined) return controlSchema.parse({});
    const control = this.#documents.readOrRefuse(row, 'the deployment');
    if (control !== undefined) return control;
    // A damaged row may hold pauses, so it must not count as "nothing is paused".
    throw new BerthError(
      'BERTH_STORE_UNAVAILABLE',
      `The control row cannot be read, because it is damaged or has no format number. Delete the row ${CONTROL_PARTITION}/${ROW} of the table ${TABLES.state}, and pause again what was paused.`,
    );
  }
}
