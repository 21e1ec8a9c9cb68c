import { type Control, controlSchema } from '../../control/control.ts';
import { BerthError } from '../../errors.ts';
import { packDocument, unpackDocument } from '../tables/document.ts';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'control';
const ROW = 'control';

/** The one row that every writer obeys. */
export class ControlStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * The control row; where there is none yet, everything is on. @throws BerthError `BERTH_STORE_UNAVAILABLE`
   * where it cannot be read.
   */
  async read(): Promise<Control> {
    return (await this.#load()).control;
  }

  /** Changes the row, again and again until nobody else did in between. */
  async update(change: (control: Control) => Control): Promise<Control> {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const { control, etag } = await this.#load();
      const next = change(control);
      if (next === control) return control;
      if ((await this.#table.putIfUnchanged(PARTITION, ROW, packDocument(next), etag)) === 'written')
        return next;
    }
    throw new BerthError(
      'BERTH_STORE_UNAVAILABLE',
      'The control row is being changed by others all the time.',
    );
  }

  async #load(): Promise<{ readonly control: Control; readonly etag: string | undefined }> {
    const row = await this.#table.get(PARTITION, ROW);
    if (row === undefined) return { control: controlSchema.parse({}), etag: undefined };
    const parsed = controlSchema.safeParse(readDocument(row.properties));
    // A row that cannot be read must not be taken for "on".
    if (!parsed.success) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'The control row cannot be read.');
    return { control: parsed.data, etag: row.etag };
  }
}

function readDocument(properties: Readonly<Record<string, unknown>>): unknown {
  try {
    return unpackDocument(properties);
  } catch {
    return undefined;
  }
}
