import * as z from 'zod';
import { RESYNC_PART } from '../../hub/budget.ts';
import {
  claimFrom,
  hasWholeBudget,
  isLeftToResync,
  MAX_CLAIMS_AGE_MS,
  type WriteClaim,
} from '../../hub/write-claim.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { ProgressStore } from '../../store/state/progress-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';

const PROGRESS = 'writeClaims';
/** How long one read is used. It is shorter than `MAX_CLAIMS_AGE_MS`, so that a failed read can be repeated in time. */
const FRESH_MS = 10_000;

const claimsSchema = z.record(z.string(), z.object({ from: epochMsSchema, until: epochMsSchema }));

/** The hubs whose twins only `resyncFleet` writes now, for one instance. Only the instance with the lease of `resyncFleet` changes them. */
export class WriteClaims {
  readonly #progress: () => Pick<ProgressStore, 'read' | 'write'>;
  readonly #now: () => EpochMs;
  #claims: ReadonlyMap<string, WriteClaim> = new Map();
  #readAt: EpochMs | undefined;
  #reading: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(progress: () => Pick<ProgressStore, 'read' | 'write'>, now: () => EpochMs) {
    this.#progress = progress;
    this.#now = now;
  }

  /**
   * The part of the twin updates that a partition of the Event Hub has now, from 0 to 1. Without a claim it is its own part. Never
   * throws: if the claims cannot be read, it is 0.
   */
  async partitionPart(host: HostName, own: number): Promise<number> {
    if (this.#age() > FRESH_MS) {
      this.#reading ??= this.load()
        .catch(() => {})
        .finally(() => {
          this.#reading = undefined;
        });
      await this.#reading;
    }
    if (this.#age() > MAX_CLAIMS_AGE_MS) return 0;
    return isLeftToResync(this.#claims.get(host), this.#now()) ? 0 : own;
  }

  /** The part of the twin updates that `resyncFleet` has now. */
  resyncPart(host: HostName): number {
    return hasWholeBudget(this.#claims.get(host), this.#now()) ? 1 : RESYNC_PART;
  }

  /** Whether only `resyncFleet` writes the twins of this hub, or will as soon as all instances know of the claim. */
  isClaimed(host: HostName): boolean {
    return isLeftToResync(this.#claims.get(host), this.#now());
  }

  /** Reads the claims. `resyncFleet` does so at its start, because another instance may have claimed. @throws as `ProgressStore.read` */
  load(): Promise<void> {
    return this.#next(() => this.#read());
  }

  /** Claims the writes of a hub, or renews the claim. @throws as `ProgressStore.write` */
  claim(host: HostName): Promise<void> {
    return this.#next(async () => {
      const present = this.#claims.get(host);
      if (claimFrom(present, this.#now()) === present) return;
      await this.#read();
      const stored = this.#claims;
      const next = new Map([...stored, [host, claimFrom(stored.get(host), this.#now())]]);
      await this.#write(next);
      this.#claims = next;
    });
  }

  /** Gives the writes of a hub back to the partitions. Does nothing without a claim. @throws as `ProgressStore.write` */
  release(host: HostName): Promise<void> {
    return this.#next(async () => {
      if (!this.#claims.has(host)) return;
      await this.#read();
      // Before the partitions know it, so that both never write.
      this.#claims = new Map([...this.#claims].filter(([claimed]) => claimed !== host));
      await this.#write(this.#claims);
    });
  }

  async #read(): Promise<void> {
    const at = this.#now();
    const stored = claimsSchema.safeParse((await this.#progress().read(PROGRESS)) ?? {});
    this.#claims = new Map(stored.success ? Object.entries(stored.data) : []);
    this.#readAt = at;
  }

  #write(claims: ReadonlyMap<string, WriteClaim>): Promise<void> {
    const stored = Object.fromEntries([...claims].map(([host, claim]) => [host, { ...claim }]));
    return this.#progress().write(PROGRESS, stored);
  }

  /** One after the other, so that a read does not undo a claim of this instance. */
  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #age(): number {
    return this.#readAt === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#readAt;
  }
}
