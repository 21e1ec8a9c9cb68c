import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  checkSnapshots,
  devicesOn,
  openApp,
  POLICIES,
  type StorageApp,
  storageCost,
} from '../../bench/cases/twin-storage.ts';
import { creationOf, reportOf } from '../../bench/converged-twin.ts';
import { storageAccount } from '../support/storage-account.ts';
import { startTableProxy, type TableProxy } from '../support/table-proxy.ts';

let storage: string;
let proxy: TableProxy;
let app: StorageApp | undefined;
beforeEach(async () => {
  storage = await storageAccount();
  proxy = await startTableProxy(storage);
});
afterEach(async () => {
  await app?.close();
  app = undefined;
  await proxy.close();
});

const isTransaction = (method: string, path: string) => method === 'POST' && path.endsWith('$batch');

test.each([1, 4])(
  'a full batch of reports of twins in sync on %d hubs is stored with few transactions, and no report is lost',
  async (hubs) => {
    const { requests, reports } = await storageCost({ storage, hubs, batches: 2 });

    expect(reports).toBe(400);
    expect(requests / reports).toBeLessThanOrEqual(0.15);
  },
);

test('a transaction whose answer is lost is recognised, and no report is lost', async () => {
  const devices = devicesOn(4);
  app = openApp(proxy.connectionString, 4);
  await app.take(devices.map((device) => creationOf(POLICIES, device)));
  let toLose = 0;
  proxy.fate = (method, path) => {
    if (!isTransaction(method, path) || toLose === 0) return 'pass';
    toLose -= 1;
    return 'lost';
  };

  // The transactions of all partitions are sent at once, so each of them loses its answer at most once and can be sent again.
  for (const change of [1, 2]) {
    toLose = 5;
    await app.take(devices.map((device) => reportOf(change, device)));
    expect(toLose).toBe(0);
  }

  await checkSnapshots(storage, devices, 2);
});

test('another instance takes a batch again that was stored in part, and no report is lost', async () => {
  const devices = devicesOn(4);
  app = openApp(proxy.connectionString, 4);
  await app.take(devices.map((device) => creationOf(POLICIES, device)));
  const reports = [1, 2].map((change) => devices.map((device) => reportOf(change, device)));
  await app.take(reports[0] ?? []);
  let transactions = 0;
  proxy.fate = (method, path) => {
    if (!isTransaction(method, path)) return 'pass';
    transactions += 1;
    return transactions <= 5 ? 'pass' : 'cut';
  };
  await expect(app.take(reports[1] ?? [])).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
  await expect(checkSnapshots(storage, devices, 2)).rejects.toThrow('has version 4 and not 5');

  proxy.fate = () => 'pass';
  await app.close();
  app = openApp(proxy.connectionString, 4);
  await app.take(reports[1] ?? []);

  await checkSnapshots(storage, devices, 2);
});
