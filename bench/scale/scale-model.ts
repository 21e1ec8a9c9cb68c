/** A fleet and its app. */
export interface ScaledFleet {
  readonly devices: number;
  readonly hubs: number;
  /** Partitions of the Event Hub. */
  readonly partitions: number;
  /** Instances of `syncTwins`, between which the partitions are divided. */
  readonly instances: number;
  /** Twin change events of a device in a day. */
  readonly eventsADay: number;
  /** Events of the most busy minute, as a multiple of the mean. */
  readonly peak: number;
}

/** What was measured with real rows and Azurite. */
export interface Measured {
  /** Size of the row of a snapshot as Table Storage counts it, in bytes. */
  readonly rowBytes: number;
  /** Length of a snapshot as JSON, which the memory of an instance counts. */
  readonly snapshotBytes: number;
  /** Snapshots that a resync reads and stores in a second. */
  readonly resyncedASecond: number;
  /** Transactions for each snapshot that a resync reads and stores. */
  readonly resyncTransactions: number;
}

export interface Scale {
  readonly stateGb: number;
  readonly eventsASecond: number;
  /** Events of one partition of the Event Hub in a second, at the peak. */
  readonly eventsOfPartition: number;
  /** Part of the events whose record an instance remembers, if devices report in any order. */
  readonly remembered: number;
  readonly transactions: {
    readonly reads: number;
    readonly writes: number;
    readonly checkpoints: number;
    readonly minutes: number;
  };
  /** Rows that are read or written in a second at the peak, of all and of one partition of the table. */
  readonly rowsASecond: { readonly account: number; readonly partition: number };
  readonly resyncMinutes: number;
  readonly dollars: { readonly transactions: number; readonly capacity: number };
}

const SECONDS_A_MONTH = 30 * 86_400;
const MINUTES_A_MONTH = SECONDS_A_MONTH / 60;
/** The memory of an instance (`record-memory.ts`). */
const MEMORY_BYTES = 32 * 1024 * 1024;
const MEMORY_RECORDS = 20_000;
/** Partitions of the table of twins (`keys.ts`). */
const BUCKETS = 16;
/** `maxEventBatchSize` in host.json. */
const BATCH = 200;
/** Share of a minute in which `resyncFleet` runs. */
const DUTY = 50 / 60;
/** Rows of a page. */
const PAGE = 1_000;
/** What `resyncFleet` does in a minute: for each hub, and once (docs/deploy.md). */
const OF_A_HUB = 5;
const ONCE = 60;
/** Dollars. To be checked in the Azure pricing calculator (docs/deploy.md). */
const MILLION_TRANSACTIONS = 0.036;
const GB_MONTH = 0.045;

/**
 * Storage, transactions and times of a large fleet in sync, as arithmetic on measured values. Batches are as small as they can be: each
 * has the events of one second of a partition, which is the worst case for transactions.
 */
export function scaleOf(fleet: ScaledFleet, measured: Measured): Scale {
  const { devices, hubs, partitions, instances, eventsADay, peak } = fleet;
  const eventsASecond = (devices * eventsADay) / 86_400;
  const events = eventsASecond * SECONDS_A_MONTH;
  const records = Math.min(MEMORY_RECORDS, MEMORY_BYTES / measured.snapshotBytes);
  const remembered = Math.min(1, (records * instances) / devices);
  const perBatch = Math.min(BATCH, Math.max(1, eventsASecond / partitions));
  const batches = events / perBatch;
  const atPeak = eventsASecond * peak;
  const rows = atPeak * (2 - remembered) + devices / 60;
  const transactions = {
    reads: events * (1 - remembered),
    writes: batches * occupied(perBatch),
    checkpoints: batches,
    minutes: MINUTES_A_MONTH * (ONCE + hubs * OF_A_HUB + devices / PAGE),
  };
  const all = Object.values(transactions).reduce((sum, each) => sum + each, 0);
  const stateGb = (devices * measured.rowBytes) / 1e9;
  return {
    stateGb,
    eventsASecond,
    eventsOfPartition: atPeak / partitions,
    remembered,
    transactions,
    rowsASecond: { account: rows, partition: rows / BUCKETS },
    resyncMinutes: devices / measured.resyncedASecond / DUTY / 60,
    dollars: { transactions: (all / 1e6) * MILLION_TRANSACTIONS, capacity: stateGb * GB_MONTH },
  };
}

/** The partitions of the table that a batch meets, on average. */
export function occupied(events: number): number {
  return BUCKETS * (1 - (1 - 1 / BUCKETS) ** events);
}

/** The size of an entity as Table Storage counts it (blog of the Windows Azure Storage team, "Capacity" in its post on billing), in bytes. */
export function entityBytes(
  partitionKey: string,
  rowKey: string,
  properties: Readonly<Record<string, unknown>>,
): number {
  const ofProperties = Object.entries(properties).reduce(
    (sum, [name, value]) => sum + 8 + 2 * name.length + valueBytes(value),
    0,
  );
  // The service adds a timestamp.
  return 4 + 2 * (partitionKey.length + rowKey.length) + ofProperties + 8 + 2 * 'Timestamp'.length + 8;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 4 + 2 * value.length;
  if (value instanceof Uint8Array) return 4 + value.length;
  return typeof value === 'boolean' ? 1 : typeof value === 'number' && Number.isInteger(value) ? 4 : 8;
}
