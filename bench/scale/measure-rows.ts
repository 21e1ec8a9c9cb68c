import pLimit from 'p-limit';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { openStores } from '../../src/store/stores.ts';
import { partitionsOf, TWIN_KEYS } from '../../src/store/tables/keys.ts';
import { openTables } from '../../src/store/tables/tables.ts';
import { isNewer } from '../../src/store/twins/twin-record.ts';
import { snapshotAction } from '../../src/store/twins/twin-rows.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { startTableProxy } from '../../test/support/table-proxy.ts';
import { convergedTwin } from '../converged-twin.ts';
import { entityBytes, type Measured } from './scale-model.ts';

/** As `resync-twins.ts`. */
const PAGE = 200;
const CONCURRENCY = 32;
const HOST = hostName('contoso-weu.azure-devices.net');

/**
 * Stores snapshots of pumps with six policies, then reads and stores each again, as a resync after a new fleet revision does. The time
 * includes no plans.
 *
 * @param storage connection string of the account with the state tables
 */
export async function measureRows(storage: string, devices: number): Promise<Measured> {
  const proxy = await startTableProxy(storage);
  let requests = 0;
  proxy.fate = () => {
    requests += 1;
    return 'pass';
  };
  try {
    const connectionString = proxy.connectionString;
    const { twins } = openStores(openTables({ kind: 'connectionString', connectionString }));
    const snapshot = convergedTwin(6).take();
    const ids = Array.from({ length: devices }, (_, index) => ({
      host: HOST,
      deviceId: `pump-${String(index).padStart(7, '0')}`,
      moduleId: undefined,
    }));
    for (let from = 0; from < ids.length; from += PAGE) {
      const part = ids.slice(from, from + PAGE);
      await Promise.all(
        part.map((id) =>
          twins.save(
            { id, known: { kind: 'nothing' }, etag: undefined, isRemembered: false },
            { kind: 'snapshot', snapshot: { ...snapshot, id } },
          ),
        ),
      );
    }
    requests = 0;
    const start = performance.now();
    const limit = pLimit(CONCURRENCY);
    for (const partition of partitionsOf(HOST)) {
      for (let after: string | undefined, isLast = false; !isLast; ) {
        const page = await twins.page(partition, after, PAGE);
        await Promise.all(
          page.map((record) =>
            limit(async () => {
              if (isNewer(record) || record.known.kind !== 'snapshot') return;
              await twins.save(record, { kind: 'snapshot', snapshot: resynced(record.known.snapshot) });
            }),
          ),
        );
        after = page.at(-1)?.rowKey;
        isLast = page.length < PAGE;
      }
    }
    const seconds = (performance.now() - start) / 1_000;
    const [, { partitionKey, rowKey, ...properties }] = snapshotAction(
      ids[0] ?? snapshot.id,
      { kind: 'snapshot', snapshot },
      undefined,
    );
    const stored = TWIN_KEYS.toStored(partitionKey, rowKey);
    return {
      rowBytes: entityBytes(stored.partitionKey, stored.rowKey, properties),
      snapshotBytes: Number(properties.size),
      resyncedASecond: devices / seconds,
      resyncTransactions: requests / devices,
    };
  } finally {
    await proxy.close();
  }
}

function resynced(snapshot: Snapshot): Snapshot {
  return { ...snapshot, lastReconcile: { ...snapshot.lastReconcile, revision: 'another' } };
}
