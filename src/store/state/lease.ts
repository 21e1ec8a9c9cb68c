import { EPOCH, type EpochMs, epochMsOf, plus } from '../../time/epoch-ms.ts';
import type { Table } from '../tables/tables.ts';

const PARTITION = 'leases';

/** Allows only one instance at a time to do a piece of work, until the lease expires. */
export class Lease {
  readonly #table: Table;
  readonly #name: string;
  readonly #owner: string;

  /** @param owner identifies this holder, also within one process. */
  constructor(table: Table, name: string, owner: string) {
    this.#table = table;
    this.#name = name;
    this.#owner = owner;
  }

  /** Takes the lease for `ms`, unless another owner holds it. The holder may renew it. */
  async take(now: EpochMs, ms: number): Promise<boolean> {
    const row = await this.#table.get(PARTITION, this.#name);
    const until = row?.properties.until instanceof Date ? epochMsOf(row.properties.until) : EPOCH;
    if (until > now && row?.properties.owner !== this.#owner) return false;
    const taken = { owner: this.#owner, until: new Date(plus(now, ms)) };
    return (await this.#table.putIfUnchanged(PARTITION, this.#name, taken, row?.etag)) === 'written';
  }

  /** Ends the lease, if this owner still holds it. */
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
