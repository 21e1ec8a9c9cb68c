import { beforeAll, describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { ReceiptStore, type WrittenReceipt } from '../../src/store/receipts/receipt-store.ts';
import { openTables, type Table } from '../../src/store/tables/tables.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, requestOf } from '../allocation/requests.ts';
import { storageAccount } from '../support/storage-account.ts';
import { T0 } from '../twin/twins.ts';

const FLEET = fleetOf({ twins: { initial: [{ name: 'base', tags: { site: '=payload.site' } }] } });

/** The receipt of a registration. `again`: the device has a hub already. */
function written(registrationId: string, minute: number, site: string, again = false): WrittenReceipt {
  const context = {
    registrationId,
    payload: { site },
    ...(again ? { currentIotHubHostName: 'weu.azure-devices.net' } : {}),
  };
  const input = {
    request: requestOf({ context }),
    fleet: FLEET,
    conditions: NO_CONDITIONS,
    now: plus(T0, minute * 60_000),
  };
  const receipt = receiptOf(input, decide(input));
  return { receipt, text: JSON.stringify(receipt) };
}

/** A table that counts calls of its methods, and fails those in `failing`. */
function counted(table: Table): {
  readonly table: Table;
  readonly calls: string[];
  readonly failing: Set<string>;
} {
  const calls: string[] = [];
  const failing = new Set<string>();
  const proxy = new Proxy(table, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => {
        calls.push(String(name));
        return failing.has(String(name)) ? Promise.reject(new Error('away')) : method.apply(target, args);
      };
    },
  });
  return { table: proxy, calls, failing };
}

let receipts: Table;
beforeAll(async () => {
  receipts = openTables({ kind: 'connectionString', connectionString: await storageAccount() }).receipts;
});

/** The number of rows of a registration id. */
async function countRows(registrationId: string): Promise<number> {
  let count = 0;
  for await (const page of receipts.scan({}))
    count += page.filter(({ rowKey }) => rowKey.startsWith(`${registrationId}|`)).length;
  return count;
}

describe('receipts that are stored together', () => {
  test('cost about one transaction for a hundred devices that register for the first time', async () => {
    const { table, calls } = counted(receipts);
    const store = new ReceiptStore(table);
    const all = Array.from({ length: 300 }, (_, index) => written(`fleet-${index}`, 0, 'ams'));

    expect(await store.keepAll(all)).toBe(0);

    expect(calls.filter((call) => call === 'transact').length).toBeLessThanOrEqual(8);
    // One first registration in 64 looks for older receipts.
    expect(calls.filter((call) => call === 'list').length).toBeLessThan(12);
    expect(await store.list('fleet-0')).toEqual([JSON.parse(all[0]?.text ?? '')]);
    expect(await store.list('FLEET-299')).toHaveLength(1);
  });

  test('are stored once for equal decisions, with the time of the last one', async () => {
    const { table, calls } = counted(receipts);
    const store = new ReceiptStore(table);

    await store.keepAll([0, 1, 2].map((minute) => written('repeated', minute, 'ams')));

    expect(calls.filter((call) => call !== 'list')).toEqual(['put']);
    expect((await store.list('repeated')).map(({ at }) => at)).toEqual([
      new Date(plus(T0, 2 * 60_000)).toISOString(),
    ]);
  });

  test('are all that is left of a device after five registrations with other inputs', async () => {
    const store = new ReceiptStore(receipts);
    await store.keepAll([written('mover', 0, 'a secret site'), written('mover', 1, 'other')]);

    for (let minute = 2; minute < 7; minute += 1) {
      await store.keepAll([written('mover', minute, `site-${minute}`, true)]);
    }

    expect(await countRows('mover')).toBe(5);
    expect(JSON.stringify(await store.list('mover'))).not.toContain('a secret site');
  });

  test('do not pile up for a device that is deleted and registers for the first time again and again', async () => {
    const store = new ReceiptStore(receipts);
    const counts: number[] = [];
    for (let minute = 0; minute < 400; minute += 40) {
      await store.keepAll(
        Array.from({ length: 40 }, (_, place) => written('again', minute + place, `site-${minute + place}`)),
      );
      counts.push(await countRows('again'));
    }

    expect(counts[0]).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBeLessThan(200);
  });

  test('are counted if their transaction fails', async () => {
    const { table, failing } = counted(receipts);
    failing.add('transact');
    const store = new ReceiptStore(table);

    const lost = await store.keepAll(
      Array.from({ length: 50 }, (_, index) => written(`lost-${index}`, 0, 'ams')),
    );

    expect(lost).toBe(50);
  });

  test('are not counted as lost if only older ones cannot be removed', async () => {
    const { table, failing } = counted(receipts);
    failing.add('list');
    const store = new ReceiptStore(table);

    expect(await store.keepAll([written('kept', 0, 'ams', true)])).toBe(0);

    expect(await new ReceiptStore(receipts).list('kept')).toHaveLength(1);
  });
});
