import { BerthError } from '../../errors.ts';
import { sameJson } from '../../json/json.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { RedactionKeyStore } from '../state/redaction-key-store.ts';
import { NewerFormatError } from '../tables/newer-format.ts';
import type { Row, Table } from '../tables/tables.ts';
import { type ExportedDocument, type ReadExport, type StateExport, stateExport } from './state-export.ts';
import { STATE_PARTS, type StatePart } from './state-parts.ts';

/** What an export says about itself. */
export interface ExportFacts {
  readonly now: EpochMs;
  /** The storage account. */
  readonly from: string;
  readonly stamp: string | undefined;
}

/** What an import does with one row, and the version of the row that this was decided for. */
export type RowImport = {
  readonly part: StatePart;
  readonly key: string;
} & (
  | { readonly kind: 'created'; readonly columns: Row['properties'] }
  | { readonly kind: 'replaced'; readonly columns: Row['properties']; readonly etag: string }
  | { readonly kind: 'removed'; readonly etag: string }
  /** The row is equal already. */
  | { readonly kind: 'unchanged' }
  /** The export does not have the row, and it stays. */
  | { readonly kind: 'left' }
);

/** Everything that an import does, before it does it. */
export interface ImportPlan {
  /** In the order of the writes. */
  readonly rows: readonly RowImport[];
  /** Whether the present state holds something that the export does not have in the same form. */
  readonly differs: boolean;
}

/** Exports and imports the state that people made. Everything else is read again from the hubs. */
export class StateExporter {
  readonly #table: Table;
  readonly #redactionKey: Pick<RedactionKeyStore, 'fingerprint'>;

  constructor(table: Table, redactionKey: Pick<RedactionKeyStore, 'fingerprint'>) {
    this.#table = table;
    this.#redactionKey = redactionKey;
  }

  /**
   * Reads every part. A damaged document other than the control row is left out, and its key is in `damaged`.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) for a document of a newer package, because the export would lack it
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`, also if the control row is damaged: it may hold pauses
   */
  async export({ now, from, stamp }: ExportFacts): Promise<{
    readonly exported: StateExport;
    readonly damaged: readonly string[];
  }> {
    const parts: Record<string, ExportedDocument[]> = {};
    const damaged: string[] = [];
    for (const part of STATE_PARTS) {
      const documents: ExportedDocument[] = [];
      for (const row of await this.#rowsOf(part)) {
        const read = part.open(row);
        if (read.kind === 'newer') throw new NewerFormatError({ ...read.newer, of: row.rowKey });
        if (read.kind === 'known')
          documents.push({ key: row.rowKey, format: part.format, document: read.value });
        else if (part.isVital) throw unreadable(part);
        else damaged.push(`${part.partition}/${row.rowKey}`);
      }
      parts[part.name] = documents;
    }
    const redactionKey = (await this.redactionKey()) ?? null;
    const exportedAt = new Date(now).toISOString();
    const exported = stateExport({ exportedAt, from, stamp: stamp ?? null, redactionKey, parts });
    return { exported, damaged };
  }

  /** Identifies the redaction key. Undefined: there is none yet. */
  redactionKey(): Promise<string | undefined> {
    return this.#redactionKey.fingerprint();
  }

  /**
   * Decides what an import does, without a write.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) for a present document of a newer package
   */
  async plan({ documents }: ReadExport, now: EpochMs): Promise<ImportPlan> {
    const rows: RowImport[] = [];
    for (const part of STATE_PARTS) {
      const present = new Map((await this.#rowsOf(part)).map((row) => [row.rowKey, row] as const));
      for (const { key, document } of documents.get(part) ?? []) {
        rows.push(importOf(part, key, document, present.get(key), now));
        present.delete(key);
      }
      for (const { rowKey: key, etag } of present.values()) {
        rows.push(
          part.others === 'removed' ? { part, key, kind: 'removed', etag } : { part, key, kind: 'left' },
        );
      }
    }
    const differs = rows.some(({ kind }) => kind !== 'created' && kind !== 'unchanged');
    return { rows, differs };
  }

  /**
   * Performs a plan, each write with the etag of the plan. If it fails, what is written stays, and a new plan does the rest.
   *
   * @throws BerthError `BERTH_STATE_CHANGED` if another writer has changed a row since the plan
   */
  async write({ rows }: ImportPlan): Promise<void> {
    for (const row of rows) {
      if ((await this.#writeRow(row)) === 'conflict') {
        throw new BerthError(
          'BERTH_STATE_CHANGED',
          `Another writer has changed the ${row.part.one} "${row.key}" during the import. What was written before stays. Stop the app, and run the same command again.`,
        );
      }
    }
  }

  async #writeRow(row: RowImport): Promise<'written' | 'deleted' | 'conflict' | undefined> {
    const { partition } = row.part;
    switch (row.kind) {
      case 'created':
        return this.#table.putIfUnchanged(partition, row.key, row.columns, undefined);
      case 'replaced':
        return this.#table.putIfUnchanged(partition, row.key, row.columns, row.etag);
      case 'removed':
        return this.#table.deleteIfUnchanged(partition, row.key, row.etag);
      default:
        return undefined;
    }
  }

  async #rowsOf(part: StatePart): Promise<readonly Row[]> {
    const rows = await this.#table.list({ partitionKey: part.partition });
    return rows.filter(({ rowKey }) => part.owns(rowKey));
  }
}

function importOf(
  part: StatePart,
  key: string,
  document: ExportedDocument['document'],
  row: Row | undefined,
  now: EpochMs,
): RowImport {
  if (row === undefined) return { part, key, kind: 'created', columns: part.columns(document) };
  const read = part.open(row);
  if (read.kind === 'newer') throw new NewerFormatError({ ...read.newer, of: key });
  const { etag } = row;
  if (read.kind === 'damaged') return { part, key, kind: 'replaced', columns: part.columns(document), etag };
  const { isSame = sameJson, replacing = (imported) => imported } = part;
  if (isSame(document, read.value)) return { part, key, kind: 'unchanged' };
  return { part, key, kind: 'replaced', columns: part.columns(replacing(document, read.value, now)), etag };
}

function unreadable({ one, partition }: StatePart): BerthError {
  return new BerthError(
    'BERTH_STORE_UNAVAILABLE',
    `The state cannot be exported, because the ${one} is damaged (rows of ${partition} in berthstate). Import an earlier export with --replace.`,
  );
}
