import { limitFunction } from 'p-limit';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { DocumentFormat } from '../../json/document-format.ts';
import { isObject } from '../../json/json.ts';
import { type EpochMs, earlierOf, epochMs } from '../../time/epoch-ms.ts';
import { type Instant, NEVER } from '../../time/instant.ts';
import {
  EDGE_DEVICE_STATUSES,
  type EdgeCount,
  type EdgeStatusCounts,
} from '../../twin/snapshot/edge-device-status.ts';
import { type PolicyStatus, TWIN_STATUSES, type TwinStatus } from '../../twin/snapshot/snapshot.ts';
import { chunksOf, sizeInTransaction } from '../tables/chunks.ts';
import { packDocument, unpackDocument } from '../tables/document.ts';
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
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { type DocumentColumns, StoredDocuments } from '../tables/stored-documents.ts';
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
/** Buckets that are read at the same time. */
const CONCURRENCY = 8;
/** Tombstones of a hub that one count of a bucket removes. */
const TOMBSTONES_A_RUN = 50;
const COUNTED_COLUMNS = ['format', 'status', 'policies', 'edge'] as const;
/** The rows that a count reads. */
const COUNTED = { range: SNAPSHOTS_AND_TOMBSTONES, select: [...COUNTED_COLUMNS, 'at'] };

/** What a row holds: the counts of one hub in one bucket. */
interface BucketCounts {
  readonly statuses: TwinStatusCounts;
  readonly policies: Readonly<Record<string, PolicyStatusCounts>>;
  readonly edge: Readonly<Record<string, EdgeStatusCounts>>;
  readonly countedAt: EpochMs;
}

/** As JSON, deflated. The first format has its own columns. */
const COLUMNS: DocumentColumns<BucketCounts> = {
  pack: packDocument,
  open: (properties) => ('doc0' in properties ? unpackDocument(properties) : properties),
};

/** The format of rows of counts. Read by hand, because each run reads thousands of rows several times. */
export const COUNTS_FORMAT: DocumentFormat<BucketCounts> = {
  document: 'twin counts',
  steps: [
    // Format 1 has no number, a column for each status, and JSON texts, which are too short for many policies.
    (columns) => {
      if (!isObject(columns)) throw new TypeError('not an object');
      const { policies = '{}', edge = '{}', countedAt } = columns as Row['properties'];
      const statuses = TWIN_STATUSES.map((status) => [status, Number(columns[status] ?? 0)] as const);
      return {
        statuses: Object.fromEntries(statuses),
        policies: JSON.parse(String(policies)),
        edge: JSON.parse(String(edge)),
        countedAt: countedAt instanceof Date ? countedAt.getTime() : undefined,
      };
    },
  ],
  unnumbered: 1,
  read(document) {
    if (!isObject(document)) return undefined;
    const { statuses, policies, edge, countedAt } = document;
    const isRight =
      isCounts(statuses) && isCountsByName(policies) && isCountsByName(edge) && Number.isFinite(countedAt);
    return isRight ? (document as unknown as BucketCounts) : undefined;
  },
};

function isCountsByName(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isCounts);
}

function isCounts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(Number.isFinite);
}

/**
 * Counts stored twins by status, and keeps the counts. One list of a bucket counts the twins of all hubs, so that many hubs cost
 * no more than their twins.
 */
export class TwinCountStore {
  readonly #twins: Table;
  readonly #state: Table;
  readonly #documents: StoredDocuments<BucketCounts>;

  constructor(twins: Table, state: Table, onNewer?: OnNewerFormat) {
    this.#twins = twins;
    this.#state = state;
    this.#documents = new StoredDocuments(COUNTS_FORMAT, onNewer, COLUMNS);
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
    await this.#store([{ host, bucket, counts: tally.counts(now) }]);
  }

  /** The last counts of hubs, in one list. A hub whose twins were never counted has no twins and no time. */
  async read(hosts: readonly HostName[]): Promise<ReadonlyMap<HostName, CountedTwins>> {
    const [only] = hosts.length === 1 ? hosts : [];
    const rows = await this.#state.list({
      partitionKey: PARTITION,
      ...(only === undefined ? {} : { range: prefixRange(`${only}|`) }),
    });
    const byKey = new Map(rows.map((row) => [row.rowKey, this.#countsIn(row)]));
    return new Map(
      hosts.map((host) => [host, sumOf(BUCKET_NAMES.map((bucket) => byKey.get(`${host}|${bucket}`)))]),
    );
  }

  /** The last counts of one hub. */
  async of(host: HostName): Promise<CountedTwins> {
    return (await this.read([host])).get(host) ?? sumOf([undefined]);
  }

  async #store(counted: readonly CountedHub[]): Promise<void> {
    const rows = counted.map(({ host, bucket, counts }) => ({
      partitionKey: PARTITION,
      rowKey: `${host}|${bucket}`,
      ...this.#documents.columns(counts),
    }));
    for (const part of chunksOf(rows, sizeInTransaction))
      await this.#state.transact(part.map((row) => ['upsert', row, 'Replace']));
  }

  /** Undefined: the row is damaged or of a newer package. The next count replaces it. */
  #countsIn(row: Row): BucketCounts | undefined {
    const read = this.#documents.read(row, row.rowKey);
    return read.kind === 'known' ? read.value : undefined;
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
  readonly rows: readonly CountedHub[];
  readonly oldTombstones: readonly Row[];
}

interface CountedHub {
  readonly host: HostName;
  readonly bucket: Bucket;
  readonly counts: BucketCounts;
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
    rows: [...tallies].map(([host, tally]) => ({ host, bucket, counts: tally.counts(now) })),
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

  counts(countedAt: EpochMs): BucketCounts {
    return { statuses: this.#statuses, policies: this.#policies, edge: this.#edge, countedAt };
  }
}

/** The counts of a hub from those of its buckets. Undefined: the counts of the bucket are not known. */
function sumOf(buckets: readonly (BucketCounts | undefined)[]): CountedTwins {
  const statuses = noTwins();
  const policies: Record<string, PolicyStatusCounts> = {};
  const edge: Record<string, EdgeStatusCounts> = {};
  let countedAt: EpochMs | undefined = epochMs(Number.POSITIVE_INFINITY);
  for (const bucket of buckets) {
    for (const [deployment, statusCounts] of Object.entries(bucket?.edge ?? {})) {
      for (const [status, number] of Object.entries(statusCounts) as [EdgeCount, number][]) {
        edge[deployment] = addCount(edge[deployment] ?? {}, status, number);
      }
    }
    for (const [policy, statusCounts] of Object.entries(bucket?.policies ?? {})) {
      policies[policy] = addStatusCounts(policies[policy] ?? {}, statusCounts);
    }
    for (const status of TWIN_STATUSES) statuses[status] += bucket?.statuses[status] ?? 0;
    const at = bucket?.countedAt;
    countedAt = at !== undefined && countedAt !== undefined ? earlierOf(countedAt, at) : undefined;
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
