import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openTables, type Table } from '../../src/store/tables/tables.ts';
import { storageAccount } from '../support/storage-account.ts';
import { startTableProxy, type TableProxy } from '../support/table-proxy.ts';

const PAGE = 1_000;
const A_TO_C = { range: ['a', 'c'], select: [] } as const;

let proxy: TableProxy;
let requests: number;
let table: Table;
beforeEach(async () => {
  proxy = await startTableProxy(await storageAccount());
  table = open();
  await put(0, 1, 'a');
  await table.put('2', 'b', {});
  await table.put('2', 'c', {});
  requests = 0;
  proxy.fate = () => {
    requests += 1;
    return 'pass';
  };
});
afterEach(() => proxy.close());

function open(): Table {
  return openTables({ kind: 'connectionString', connectionString: proxy.connectionString }).state;
}

/** Stores rows `<prefix>0`, `<prefix>1`, … in the partition 1. A transaction may have 100. */
async function put(from: number, to: number, prefix: string): Promise<void> {
  for (let at = from; at < to; at += 100) {
    const rows = Array.from({ length: Math.min(100, to - at) }, (_, index) => `${prefix}${at + index}`);
    await table.transact(rows.map((rowKey) => ['upsert', { partitionKey: '1', rowKey }, 'Replace']));
  }
}

async function keysIn(of: Table): Promise<readonly string[] | undefined> {
  const rows = await of.listIfSmall(A_TO_C);
  return rows?.map(({ partitionKey, rowKey }) => `${partitionKey}/${rowKey}`);
}

test('lists a range of all partitions of a small table, the first time with two requests and later with one', async () => {
  expect(await keysIn(table)).toEqual(['1/a0', '2/b']);
  expect(requests).toBe(2);

  expect(await keysIn(table)).toEqual(['1/a0', '2/b']);
  expect(requests).toBe(3);
});

test('lists nothing in a table that does not exist yet', async () => {
  const { twins } = openTables({ kind: 'connectionString', connectionString: proxy.connectionString });

  expect(await twins.listIfSmall({ range: ['s|', 's}'] })).toEqual([]);
});

test('does not search a large table, and asks for its size only once', async () => {
  await put(0, PAGE, 'z');
  requests = 0;

  expect(await keysIn(table)).toBeUndefined();
  expect(await keysIn(table)).toBeUndefined();

  expect(requests).toBe(1);
});

test('notices that a range no longer fits on one page', async () => {
  expect(await keysIn(table)).toEqual(['1/a0', '2/b']);
  await put(1, PAGE, 'a');
  requests = 0;

  expect(await keysIn(table)).toBeUndefined();
  expect(await keysIn(table)).toBeUndefined();

  expect(requests).toBe(1);
});
