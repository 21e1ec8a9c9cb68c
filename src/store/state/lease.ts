import { EPOCH, type EpochMs, epochMsOf, plus } from '../../time/epoch-ms.ts';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'leases';

/** Lets one instance at a time do a piece of work, for a while. */
export class Lease {
  readonly #table: Table;
  readonly #name: string;
  readonly #owner: string;

  /** @param owner tells this holder from every other, in this process too. */
  constructor(table: Table, name: string, owner: string) {
    this.#table = table;
    this.#name = name;
    this.#owner = owner;
  }

  /** Takes the lease for so long, unless somebody else holds it. A holder may take it again. */
  async take(now: EpochMs, ms: number): Promise<boolean> {
    const row = await this.#table.get(PARTITION, this.#name);
    const until = row?.properties.until instanceof Date ? epochMsOf(row.properties.until) : EPOCH;
    if (until > now && row?.properties.owner !== this.#owner) return false;
    const taken = { owner: this.#owner, until: new Date(plus(now, ms)) };
    return (await this.#table.putIfUnchanged(PARTITION, this.#name, taken, row?.etag)) === 'written';
  }

  /** Gives the lease back, if it is still held. */
  async release(): Promise<void> {
    const row = await this.#table.get(PARTITION, this.#name);
    if (row?.properties.owner !== this.#owner) return;
    await this.#table.putIfUnchanged(
      PARTITION,
      this.#name,
      { owner: this.#owner, until: new Date(EPOCH) },
      row.etag,
    );
  }
}
