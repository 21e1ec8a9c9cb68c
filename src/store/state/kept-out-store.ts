import * as z from 'zod';
import type { DocumentFormat } from '../../json/document-format.ts';
import { type EpochMs, epochMs } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Table } from '../tables/tables.ts';
import { KEPT_OUT_PARTITION, type KeptOutDevices, keptOutHash, readKeptOut } from './kept-out-devices.ts';

/** How long an instance may work with an older list: it reads the list every 20 s, and a batch takes 20 s. */
export const KEPT_OUT_SETTLED_MS = 60_000;

const keptOutSchema = z.object({ author: z.string(), at: epochMsSchema });

/** Who asked that a device is kept out of the state tables, and when. It does not name the device. */
export type KeptOut = z.output<typeof keptOutSchema>;

/** The format of kept-out devices. A change of the schema is a new format with a step. */
export const KEPT_OUT_FORMAT: DocumentFormat<KeptOut> = {
  document: 'kept-out device',
  steps: [],
  read: (document) => keptOutSchema.safeParse(document).data,
};

/**
 * The devices that Berth stores nothing about, by a hash of their ids. The ids themselves are not stored. The hash has no key:
 * it must be the same after a restore, without a secret. So a person who has the list can check whether it holds a given id.
 */
export class KeptOutStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<KeptOut>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(KEPT_OUT_FORMAT, onNewer);
  }

  /** All kept-out devices. A row keeps its device out whatever its document is. */
  read(): Promise<KeptOutDevices> {
    return readKeptOut(this.#table);
  }

  /** Keeps a device out. Returns false if it is kept out already: the earlier author stays. */
  async add(deviceId: string, author: string, now: EpochMs): Promise<boolean> {
    const columns = this.#documents.columns({ author, at: epochMs(now) });
    const hash = keptOutHash(deviceId);
    return (await this.#table.putIfUnchanged(KEPT_OUT_PARTITION, hash, columns, undefined)) === 'written';
  }

  async has(deviceId: string): Promise<boolean> {
    return (await this.#table.get(KEPT_OUT_PARTITION, keptOutHash(deviceId))) !== undefined;
  }

  /** Lets Berth store a device again. */
  async remove(deviceId: string): Promise<void> {
    await this.#table.delete(KEPT_OUT_PARTITION, keptOutHash(deviceId));
  }
}
