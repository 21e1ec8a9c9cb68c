import {
  type DocumentFormat,
  newerFormat,
  presentFormat,
  type ReadDocument,
  readDocument,
} from '../../json/document-format.ts';
import { packDocument, unpackDocument } from './document.ts';
import { type MetNewerFormat, NewerFormatError, type OnNewerFormat } from './newer-format.ts';
import type { Row } from './tables.ts';

/** How a document becomes columns of a row, and back. */
export interface DocumentColumns<Value> {
  readonly pack: (document: Value) => Row['properties'];
  /** May throw if the columns are damaged. */
  readonly open: (properties: Row['properties']) => unknown;
}

/** As JSON, deflated. */
const PACKED: DocumentColumns<unknown> = { pack: packDocument, open: unpackDocument };

/**
 * Reads and writes rows of one kind of document. The column `format` holds the number of the format. So a newer row is
 * recognised without its document.
 */
export class StoredDocuments<Value> {
  readonly #format: DocumentFormat<Value>;
  readonly #onNewer: OnNewerFormat;
  readonly #columns: DocumentColumns<Value>;

  /**
   * @param onNewer called with each row of a newer package that is read.
   * @param columns default: the whole document as deflated JSON.
   */
  constructor(
    format: DocumentFormat<Value>,
    onNewer: OnNewerFormat = () => {},
    columns: DocumentColumns<Value> = PACKED,
  ) {
    this.#format = format;
    this.#onNewer = onNewer;
    this.#columns = columns;
  }

  /** @param of the owner of the document, for messages. Not a secret. */
  read(row: Row, of: string): ReadDocument<Value> {
    const { properties } = row;
    const read = readDocument(this.#format, properties.format, () => this.#columns.open(properties));
    if (read.kind === 'newer') this.#onNewer({ ...read.newer, of });
    return read;
  }

  /** The document. Undefined: it is damaged. @throws NewerFormatError (`BERTH_FORMAT_NEWER`) */
  readOrRefuse(row: Row, of: string): Value | undefined {
    const read = this.read(row, of);
    if (read.kind === 'newer') throw new NewerFormatError({ ...read.newer, of });
    return read.kind === 'known' ? read.value : undefined;
  }

  /** The newer format of a row. Undefined: this package knows the format, or the row is damaged. */
  newerIn({ properties }: Row, of: string): MetNewerFormat | undefined {
    const newer = newerFormat(this.#format, properties.format);
    if (newer === undefined) return undefined;
    const met = { ...newer, of };
    this.#onNewer(met);
    return met;
  }

  /** The columns of a document, in the format of this package. */
  columns(document: Value): Row['properties'] {
    return { format: presentFormat(this.#format), ...this.#columns.pack(document) };
  }
}
