import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient, type TransactionAction } from '@azure/data-tables';
import { syncTwins } from '../../src/functions/sync-twins.ts';
import { Instance } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { openStores } from '../../src/store/stores.ts';
import { openTables, TABLES } from '../../src/store/tables/tables.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { startAzurite } from '../../test/support/azurite.ts';
import { startTableProxy } from '../../test/support/table-proxy.ts';
import { type BenchDevice, batteryOf, creationOf, type RawReport, reportOf } from '../converged-twin.ts';
import { type Figure, figureOf } from '../measure.ts';
import { pumpFleet } from '../pump.ts';

// Node.js does not find the names that this package exports, so that an ES module cannot import them.
const { InvocationContext } = createRequire(import.meta.url)(
  '@azure/functions',
) as typeof import('@azure/functions');

/** `maxEventBatchSize` in host.json. */
const BATCH = 200;
export const POLICIES = 6;
/** Most transactions for each report that are wanted. */
const GOAL = 0.15;
/** Reports that each device sends before the first counted batch. */
const WARM_UP = 3;
const NOW = epochMs(Date.UTC(2026, 10, 23, 13));

export interface StorageRun {
  /** Connection string of the account with the state tables. */
  readonly storage: string;
  /** How many hubs the devices belong to. */
  readonly hubs: number;
  /** How many batches are counted. */
  readonly batches: number;
}

/** What batches of reports of twins in sync cost in storage. */
export interface StorageCost {
  readonly hubs: number;
  readonly reports: number;
  /** Requests that the table service received. Each is one billed transaction, also a `$batch` of up to 100 rows. */
  readonly requests: number;
  /** Wall time of each batch, in milliseconds. */
  readonly batchMs: readonly number[];
  /** Wall time of the writes of the same rows without Berth, in turn with the batches, in milliseconds. */
  readonly rawMs: readonly number[];
  /** Transactions that these writes need. */
  readonly rawRequests: number;
}

/**
 * Sends batches of 200 reports of 200 devices through `syncTwins`, with Azurite behind it, and counts the requests at a proxy.
 * Then it reads every snapshot with another store, and fails if one of them lacks a report.
 */
export async function storageCost({ storage, hubs, batches }: StorageRun): Promise<StorageCost> {
  const devices = devicesOn(hubs);
  const proxy = await startTableProxy(storage);
  let requests = 0;
  proxy.fate = () => {
    requests += 1;
    return 'pass';
  };
  const app = openApp(proxy.connectionString, hubs);
  try {
    const { take } = app;
    await take(devices.map((device) => creationOf(POLICIES, device)));
    for (let change = 1; change <= WARM_UP; change += 1)
      await take(devices.map((device) => reportOf(change, device)));

    const raw = await openRawRows(proxy.connectionString);
    const [batchMs, rawMs]: [number[], number[]] = [[], []];
    let counted = 0;
    for (let batch = 1; batch <= batches; batch += 1) {
      const events = devices.map((device) => reportOf(WARM_UP + batch, device));
      requests = 0;
      batchMs.push(await wallMs(() => take(events)));
      counted += requests;
      rawMs.push(await wallMs(raw.write));
    }
    await checkSnapshots(storage, devices, WARM_UP + batches);
    const reports = batches * BATCH;
    return { hubs, reports, requests: counted, batchMs, rawMs, rawRequests: raw.requests };
  } finally {
    await app.close();
    await proxy.close();
  }
}

/** The figures of one and of four hubs: transactions for each report, and time next to writes of the same rows. */
export async function twinStorage(batches: number, progress: (text: string) => void): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const hubs of [1, 4]) {
    progress(`twin-storage, ${hubs === 1 ? 'one hub' : `${hubs} hubs`}`);
    const azurite = await startAzurite();
    const { requests, reports, batchMs, rawMs } = await storageCost({
      storage: azurite.connectionString,
      hubs,
      batches,
    }).finally(() => azurite.close());
    const of = hubs === 1 ? 'from one hub' : `from ${hubs} hubs`;
    figures.push(
      figureOf(
        {
          name: `twin-storage-${hubs}`,
          what: `storage transactions / reports of twins in sync ${of}`,
          goal: GOAL,
        },
        [requests / reports],
        0,
      ),
      figureOf(
        {
          name: `twin-azurite-${hubs}`,
          what: `time of a batch ${of} with Azurite / of Azurite's writes of the same rows`,
          showsRate: true,
        },
        batchMs.map((ms, index) => ms / (rawMs[index] ?? Number.NaN)),
        (BATCH * 1_000) / Math.min(...batchMs),
      ),
    );
  }
  return figures;
}

/** 200 devices, of the hubs in turn. */
export function devicesOn(hubs: number): readonly BenchDevice[] {
  return Array.from({ length: BATCH }, (_, index) => ({
    hubName: `contoso-${index % hubs}`,
    deviceId: `pump-${String(index).padStart(4, '0')}`,
  }));
}

/** An instance of the functions that takes batches. */
export interface StorageApp {
  take(events: readonly RawReport[]): Promise<void>;
  close(): Promise<void>;
}

/** @param storage connection string of the account with the state tables. */
export function openApp(storage: string, hubs: number): StorageApp {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  const hosts = Array.from({ length: hubs }, (_, index) => `contoso-${index}.azure-devices.net`);
  writeFileSync(join(folder, 'fleet.json'), JSON.stringify(pumpFleet(POLICIES, 'S3', hosts)));
  const instance = new Instance({
    env: { AzureWebJobsStorage: storage, TWIN_EVENTS_PARTITIONS: '1' },
    directory: folder,
    build: '2026-11-23T00:00:00Z',
    now: () => NOW,
    log: () => {},
  });
  const handle = syncTwins(instance);
  return {
    take: (events) => handle(...invocationOf(events)),
    async close() {
      await instance.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function invocationOf(events: readonly RawReport[]): Parameters<ReturnType<typeof syncTwins>> {
  const triggerMetadata = {
    partitionContext: { partitionId: '0' },
    propertiesArray: events.map(({ properties }) => properties),
    systemPropertiesArray: events.map(({ systemProperties, enqueuedAt }, index) => ({
      ...systemProperties,
      sequenceNumber: index,
      enqueuedTimeUtc: enqueuedAt,
    })),
  };
  return [
    events.map(({ body }) => body),
    new InvocationContext({ functionName: 'syncTwins', logHandler: () => {}, triggerMetadata }),
  ];
}

/** Writes all rows of the table of twins again, as Azurite has them: one transaction for each partition, all at once. */
async function openRawRows(
  connectionString: string,
): Promise<{ readonly requests: number; readonly write: () => Promise<void> }> {
  const client = TableClient.fromConnectionString(connectionString, TABLES.twins, {
    allowInsecureConnection: true,
  });
  const partitions = new Map<string, TransactionAction[]>();
  for await (const { etag: _, timestamp: __, ...row } of client.listEntities()) {
    const { partitionKey = '', rowKey = '' } = row;
    const actions = partitions.get(partitionKey) ?? [];
    partitions.set(partitionKey, actions);
    actions.push(['upsert', { ...row, partitionKey, rowKey }, 'Replace']);
  }
  // Copies, so that Berth's rows keep their etags.
  const copies = [...partitions].map(([partition, actions]) =>
    actions.map(
      ([kind, entity]) =>
        [kind, { ...entity, partitionKey: `copy-${partition}` }, 'Replace'] as TransactionAction,
    ),
  );
  return {
    requests: copies.length,
    write: async () => void (await Promise.all(copies.map((actions) => client.submitTransaction(actions)))),
  };
}

/** @throws if the stored snapshot of a device is not that after its last report. */
export async function checkSnapshots(
  connectionString: string,
  devices: readonly BenchDevice[],
  change: number,
): Promise<void> {
  const { twins } = openStores(openTables({ kind: 'connectionString', connectionString }));
  for (const { hubName, deviceId } of devices) {
    const host = hostName(`${hubName}.azure-devices.net`);
    const { known } = await twins.load({ host, deviceId, moduleId: undefined });
    const snapshot = known.kind === 'snapshot' ? known.snapshot : undefined;
    const { battery } = (snapshot?.reported.power ?? {}) as { readonly battery?: number };
    if (snapshot?.version !== 3 + change || battery !== batteryOf(change))
      throw new Error(`${deviceId} has version ${snapshot?.version} and not ${3 + change}`);
  }
}

async function wallMs(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
