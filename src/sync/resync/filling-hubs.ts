import type { HostName } from '../../iot-hub/host-name.ts';
import { manyTwins } from './queue-size.ts';
import type { ResyncContext } from './resync-context.ts';
import { resyncedAt } from './resync-twins.ts';
import { unlessNewer } from './sparing.ts';
import type { WriteClaims } from './write-claims.ts';

type Context = Pick<ResyncContext, 'fleet' | 'hosts' | 'gate' | 'progress' | 'twinCounts'>;

/**
 * The hubs with many twins that `resyncTwins` must still plan, in this run or a later one. Their writes are claimed while the resync
 * waits for the other instances, because a claim takes effect later.
 */
export class FillingHubs {
  readonly #context: Context;
  #hosts: ReadonlySet<HostName>;

  private constructor(context: Context, hosts: ReadonlySet<HostName>) {
    this.#context = context;
    this.#hosts = hosts;
  }

  /**
   * Finds the hubs, and claims their writes.
   *
   * @param claims undefined: a newer package claims the writes, and no hub is found.
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`
   */
  static async open(context: Context, claims: Pick<WriteClaims, 'claim'> | undefined): Promise<FillingHubs> {
    if (claims === undefined || !(await isResyncPending(context))) return new FillingHubs(context, new Set());
    const hosts = await withManyTwins(context);
    for (const host of hosts) await claims.claim(host);
    return new FillingHubs(context, new Set(hosts));
  }

  has(host: HostName): boolean {
    return this.#hosts.has(host);
  }

  get isEmpty(): boolean {
    return this.#hosts.size === 0;
  }

  /** Ends it if all twins are planned. @throws as `open` */
  async check(): Promise<void> {
    if (!this.isEmpty && !(await isResyncPending(this.#context))) this.end();
  }

  /** No twin is planned any more in this run. */
  end(): void {
    this.#hosts = new Set();
  }
}

async function isResyncPending(context: Context): Promise<boolean> {
  const { generation, isOutdated } = await context.gate.current();
  if (generation === undefined || isOutdated) return false;
  // A newer package plans by its own progress.
  return unlessNewer(false, async () => (await resyncedAt(context, generation.number)) === undefined);
}

/** By the last counts. A hub whose twins were never counted has none. */
async function withManyTwins({ fleet, hosts, twinCounts }: Context): Promise<readonly HostName[]> {
  const counted = await twinCounts.read(hosts);
  return hosts.filter((host) => {
    const hub = fleet.hubByHost.get(host);
    const twins = Object.values(counted.get(host)?.statuses ?? {}).reduce((sum, count) => sum + count, 0);
    return hub !== undefined && twins >= manyTwins(hub);
  });
}
