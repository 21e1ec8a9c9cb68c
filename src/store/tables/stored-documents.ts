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
  /** May throw where the columns are damaged. */
  readonly open: (properties: Row['properties']) => unknown;
}

/** As JSON, deflated. */
const PACKED: DocumentColumns<unknown> = { pack: packDocument, open: unpackDocument };

/**
 * Rows of one kind of document. The number of the format is the column `format`, so that a newer row is known without its
 * document.
 */
export class StoredDocuments<Value> {
  readonly #format: DocumentFormat<Value>;
  readonly #onNewer: OnNewerFormat;
  readonly #columns: DocumentColumns<Value>;

  /**
   * @param onNewer told of each row of a newer package that is met.
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

  /** @param of whose document it is, for messages; no secret. */
  read(row: Row, of: string): ReadDocument<Value> {
    const { properties } = row;
    const read = readDocument(this.#format, properties.format, () => this.#columns.open(properties));
    if (read.kind === 'newer') this.#onNewer({ ...read.newer, of });
    return read;
  }

  /** The document; undefined: it is damaged. @throws NewerFormatError (`BERTH_FORMAT_NEWER`) */
  readOrRefuse(row: Row, of: string): Value | undefined {
    const read = this.read(row, of);
    if (read.kind === 'newer') throw new NewerFormatError({ ...read.newer, of });
    return read.kind === 'known' ? read.value : undefined;
  }

  /** Undefined: this package knows the format of the row, or the row is damaged. */
  newerIn({ properties }: Row, of: string): MetNewerFormat | undefined {
    const newer = newerFormat(this.#format, properties.format);
    if (newer === undefined) return undefined;
    const met = { ...newer, of };
    this.#onNewer(met);
    return met;
  }

  /** The columns of a document, as this package writes it. */
  columns(document: Value): Row['properties'] {
    return { format: presentFormat(this.#format), ...this.#columns.pack(document) };
  }
}
