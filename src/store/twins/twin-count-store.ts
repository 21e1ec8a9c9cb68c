import { limitFunction } from 'p-limit';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type EpochMs, earlierOf, epochMs, epochMsOf } from '../../time/epoch-ms.ts';
import { type Instant, NEVER } from '../../time/instant.ts';
import {
  EDGE_DEVICE_STATUSES,
  type EdgeCount,
  type EdgeStatusCounts,
} from '../../twin/snapshot/edge-device-status.ts';
import { type PolicyStatus, TWIN_STATUSES, type TwinStatus } from '../../twin/snapshot/snapshot.ts';
import {
  BUCKET_NAMES,
  type Bucket,
  hostOf,
  isTombstoneKey,
  prefixRange,
  SNAPSHOTS_AND_TOMBSTONES,
  snapshotKey,
  storedRange,
} from '../tables/keys.ts';
import type { Row, Table } from '../tables/tables.ts';
import { DELETED, newerSnapshot, readPolicyStatuses, twinIdOf } from './twin-rows.ts';

export type TwinStatusCounts = Readonly<Record<TwinStatus, number>>;

/** The number of twins in which a policy owns a property, by policy status. */
export type PolicyStatusCounts = Readonly<Partial<Record<PolicyStatus, number>>>;

/** How many twins of a hub have each status. */
export interface CountedTwins {
  readonly statuses: TwinStatusCounts;
  /** By the id of the policy; in a rollout in stages also by `stageKey`. */
  readonly policies: Readonly<Record<string, PolicyStatusCounts>>;
  /** IoT Edge devices by status: of each deployment by its id, and of all devices as `ALL_DEVICES`. Undefined: none. */
  readonly edge?: Readonly<Record<string, EdgeStatusCounts>>;
  /** When the oldest of the buckets was counted. Undefined: not all have been counted yet. */
  readonly countedAt: EpochMs | undefined;
}

/** The partition of the counts in the state table. Its row keys are `<hub>|<bucket>`. */
const PARTITION = 'twin-counts';
/**
 * A transaction may have 100 rows and 4 MiB (Azure Table storage entity group transactions). Two properties of a row may have 64 KiB
 * each: the counts of policies and of deployments.
 */
const MAX_ACTIONS = 30;
/** Buckets that are read at the same time. */
const CONCURRENCY = 8;
/** Tombstones of a hub that one count of a bucket removes. */
const TOMBSTONES_A_RUN = 50;
const COUNTED_COLUMNS = ['format', 'status', 'policies', 'edge'] as const;
/** The rows that a count reads. */
const COUNTED = { range: SNAPSHOTS_AND_TOMBSTONES, select: [...COUNTED_COLUMNS, 'at'] };

/**
 * Counts stored twins by status, and keeps the counts. One list of a bucket counts the twins of all hubs, so that many hubs cost
 * no more than their twins.
 */
export class TwinCountStore {
  readonly #twins: Table;
  readonly #state: Table;

  constructor(twins: Table, state: Table) {
    this.#twins = twins;
    this.#state = state;
  }

  /**
   * Counts the twins of buckets by status, stores the counts of all these buckets together, and then removes old tombstones. One
   * list of a bucket is enough for the twins and tombstones of all hubs, and one list of all buckets if the table is small.
   *
   * @param hubs the hubs that are counted, and for each of them the time before which its tombstones are removed
   * @param mayGoOn whether another bucket may be counted, and another tombstone removed
   * @returns how many buckets were counted, the first ones
   * @throws BerthError `BERTH_STORE_UNAVAILABLE` if a bucket cannot be read. The counts of the others are stored; of a small table, none are.
   */
  async count(
    buckets: readonly Bucket[],
    now: () => EpochMs,
    hubs: ReadonlyMap<HostName, Instant>,
    mayGoOn: () => boolean,
  ): Promise<number> {
    const startedAt = now();
    const small = mayGoOn() ? await this.#twins.listIfSmall(COUNTED) : undefined;
    const countOne = limitFunction(
      async (bucket: Bucket) => {
        if (!mayGoOn()) return [];
        return small === undefined
          ? [await countBucket(bucket, this.#twins.scan({ partition: bucket, ...COUNTED }), now(), hubs)]
          : [await countBucket(bucket, [rowsOf(bucket, small)], startedAt, hubs)];
      },
      { concurrency: CONCURRENCY },
    );
    const results = await Promise.allSettled(buckets.map((bucket) => countOne(bucket)));
    const counted = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    await this.#store(counted.flatMap(({ rows }) => rows));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    for (const tombstone of counted.flatMap(({ oldTombstones }) => oldTombstones)) {
      if (!mayGoOn()) break;
      await this.#removeTombstone(tombstone);
    }
    return counted.length;
  }

  /** Counts the twins of one hub in one bucket, and stores the counts. */
  async countHub(host: HostName, bucket: Bucket, now: EpochMs): Promise<void> {
    const tally = new Tally();
    const range = storedRange('s|', host);
    for await (const page of this.#twins.scan({ partition: bucket, range, select: COUNTED_COLUMNS })) {
      for (const row of page) tally.add(row);
    }
    await this.#store([countsRow(host, bucket, tally, now)]);
  }

  /** The last counts of hubs, in one list. A hub whose twins were never counted has no twins and no time. */
  async read(hosts: readonly HostName[]): Promise<ReadonlyMap<HostName, CountedTwins>> {
    const [only] = hosts.length === 1 ? hosts : [];
    const rows = await this.#state.list({
      partitionKey: PARTITION,
      ...(only === undefined ? {} : { range: prefixRange(`${only}|`) }),
    });
    const byKey = new Map(rows.map((row) => [row.rowKey, row.properties]));
    return new Map(
      hosts.map((host) => [host, sumOf(BUCKET_NAMES.map((bucket) => byKey.get(`${host}|${bucket}`)))]),
    );
  }

  /** The last counts of one hub. */
  async of(host: HostName): Promise<CountedTwins> {
    return (await this.read([host])).get(host) ?? sumOf([undefined]);
  }

  async #store(rows: readonly StoredCounts[]): Promise<void> {
    for (let from = 0; from < rows.length; from += MAX_ACTIONS) {
      const part = rows.slice(from, from + MAX_ACTIONS);
      await this.#state.transact(part.map((row) => ['upsert', row, 'Replace']));
    }
  }

  async #removeTombstone({ partitionKey, rowKey }: Row): Promise<void> {
    const tombstone = await this.#twins.get(partitionKey, rowKey);
    if (tombstone === undefined) return;
    const snapshot = await this.#twins.get(partitionKey, snapshotKey(twinIdOf(tombstone)));
    if (snapshot !== undefined && newerSnapshot(snapshot) !== undefined) return;
    const isStub = snapshot?.properties.status === DELETED;
    // A twin that was created again in between keeps its row.
    if (
      isStub &&
      (await this.#twins.deleteIfUnchanged(partitionKey, snapshot.rowKey, snapshot.etag)) === 'conflict'
    )
      return;
    await this.#twins.delete(partitionKey, rowKey);
  }
}

interface CountedBucket {
  /** The counts of each hub. */
  readonly rows: readonly StoredCounts[];
  readonly oldTombstones: readonly Row[];
}

/** The counts of one hub in one bucket as a row. */
type StoredCounts = ReturnType<typeof countsRow>;

function countsRow(host: HostName, bucket: Bucket, { columns }: Tally, now: EpochMs) {
  return { partitionKey: PARTITION, rowKey: `${host}|${bucket}`, ...columns, countedAt: new Date(now) };
}

/** Counts the rows of one bucket. */
async function countBucket(
  bucket: Bucket,
  pages: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
  now: EpochMs,
  hubs: ReadonlyMap<HostName, Instant>,
): Promise<CountedBucket> {
  const tallies = new Map([...hubs.keys()].map((host) => [host, new Tally()]));
  const oldTombstones = new Map<HostName, Row[]>();
  for await (const page of pages) {
    for (const row of page) {
      const host = hostOf(row.partitionKey);
      if (!isTombstoneKey(row.rowKey)) tallies.get(host)?.add(row);
      else if (String(row.properties.at) < (hubs.get(host) ?? NEVER)) {
        const rows = oldTombstones.get(host) ?? [];
        // After a mass deletion, later runs remove the rest.
        if (rows.length < TOMBSTONES_A_RUN) oldTombstones.set(host, [...rows, row]);
      }
    }
  }
  return {
    rows: [...tallies].map(([host, tally]) => countsRow(host, bucket, tally, now)),
    oldTombstones: [...oldTombstones.values()].flat(),
  };
}

function rowsOf(bucket: Bucket, all: readonly Row[]): readonly Row[] {
  return all.filter(({ partitionKey }) => partitionKey.endsWith(`|${bucket}`));
}

/** Adds up the snapshot rows of one hub. */
class Tally {
  readonly #statuses = noTwins();
  readonly #policies: Record<string, PolicyStatusCounts> = {};
  readonly #edge: Record<string, EdgeStatusCounts> = {};

  add(row: Row): void {
    // In a newer format, the columns may have another meaning.
    if (newerSnapshot(row) !== undefined) return;
    const { properties } = row;
    const status = TWIN_STATUSES.find((name) => name === properties.status);
    if (status === undefined) return;
    this.#statuses[status] += 1;
    const edge = this.#edge;
    const policies = this.#policies;
    const device = EDGE_DEVICE_STATUSES.find((name) => name === properties.edge);
    if (device !== undefined) edge[ALL_DEVICES] = addCount(edge[ALL_DEVICES] ?? {}, device);
    for (const [policy, policyStatus, stage] of readPolicyStatuses(properties.policies)) {
      if (device !== undefined) {
        const counted = policyStatus === 'unreached' ? policyStatus : device;
        edge[policy] = addCount(edge[policy] ?? {}, counted);
      }
      policies[policy] = addStatusCounts(policies[policy] ?? {}, { [policyStatus]: 1 });
      if (stage === undefined) continue;
      const key = stageKey(policy, stage);
      // A disabled device, or one whose hub has no quota, does not take part.
      const inStage = status === 'suspended' ? 'silent' : policyStatus;
      policies[key] = addStatusCounts(policies[key] ?? {}, { [inStage]: 1 });
    }
  }

  get columns(): Readonly<Record<string, unknown>> {
    return {
      ...this.#statuses,
      policies: JSON.stringify(this.#policies),
      edge: JSON.stringify(this.#edge),
    };
  }
}

/** The counts of a hub from the rows of its buckets. Undefined: the bucket was never counted. */
function sumOf(buckets: readonly (Row['properties'] | undefined)[]): CountedTwins {
  const statuses = noTwins();
  const policies: Record<string, PolicyStatusCounts> = {};
  const edge: Record<string, EdgeStatusCounts> = {};
  let countedAt: EpochMs | undefined = epochMs(Number.POSITIVE_INFINITY);
  for (const columns of buckets) {
    const devices = JSON.parse(String(columns?.edge ?? '{}')) as Record<string, EdgeStatusCounts>;
    for (const [deployment, statusCounts] of Object.entries(devices)) {
      for (const [status, number] of Object.entries(statusCounts) as [EdgeCount, number][]) {
        edge[deployment] = addCount(edge[deployment] ?? {}, status, number);
      }
    }
    const counted = JSON.parse(String(columns?.policies ?? '{}')) as Record<string, PolicyStatusCounts>;
    for (const [policy, statusCounts] of Object.entries(counted)) {
      policies[policy] = addStatusCounts(policies[policy] ?? {}, statusCounts);
    }
    for (const status of TWIN_STATUSES) statuses[status] += Number(columns?.[status] ?? 0);
    const at = columns?.countedAt;
    countedAt =
      at instanceof Date && countedAt !== undefined ? earlierOf(countedAt, epochMsOf(at)) : undefined;
  }
  return { statuses, policies, edge, countedAt };
}

function noTwins(): Record<TwinStatus, number> {
  return Object.fromEntries(TWIN_STATUSES.map((status) => [status, 0])) as Record<TwinStatus, number>;
}

/** The counts of all IoT Edge devices among those of deployments. The id of a deployment is not empty. */
export const ALL_DEVICES = '';

function addCount(counts: EdgeStatusCounts, status: EdgeCount, number = 1): EdgeStatusCounts {
  return { ...counts, [status]: (counts[status] ?? 0) + number };
}

/** The key of the counts of one stage of a policy. */
export function stageKey(policyId: string, stage: string): string {
  return `${policyId}@${stage}`;
}

export function addStatusCounts(one: PolicyStatusCounts, other: PolicyStatusCounts): PolicyStatusCounts {
  const sum: Partial<Record<PolicyStatus, number>> = { ...one };
  for (const [policyStatus, count] of Object.entries(other) as [PolicyStatus, number][]) {
    sum[policyStatus] = (sum[policyStatus] ?? 0) + count;
  }
  return sum;
}
