import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openTables } from '../../src/store/tables/tables.ts';
import { storageAccount } from '../support/storage-account.ts';
import { startTableProxy, type TableProxy } from '../support/table-proxy.ts';

let proxy: TableProxy;
/** The calls since the last look, such as `POST /Tables`, without the name of the account. */
let calls: string[];
beforeEach(async () => {
  proxy = await startTableProxy(await storageAccount());
  calls = [];
  proxy.fate = (method, path) => {
    calls.push(`${method} ${path.replace(/^\/\w+|[(?].*$/g, '')}`);
    return 'pass';
  };
});
afterEach(() => proxy.close());

const open = () => openTables({ kind: 'connectionString', connectionString: proxy.connectionString });

describe('the first use of a table', () => {
  test('creates a table that does not exist, with one request for all calls that wait for it', async () => {
    const { state } = open();

    const found = await Promise.all([
      state.get('a', 'b'),
      state.get('a', 'c'),
      state.list({ partitionKey: 'a' }),
    ]);

    expect(found).toEqual([undefined, undefined, []]);
    expect(calls.filter((call) => call === 'POST /Tables')).toHaveLength(1);
  });

  test('makes no other request if the table exists, so that a cold start waits for one answer', async () => {
    await open().state.put('a', 'b', { c: 1 });
    calls = [];

    const row = await open().state.get('a', 'b');

    expect(row?.properties).toMatchObject({ c: 1 });
    expect(calls).toEqual(['GET /berthstate']);
  });

  test('writes a row into a table that does not exist', async () => {
    const { twins } = open();

    await twins.transact([['upsert', { partitionKey: 'a|b', rowKey: 'c', d: 1 }, 'Replace']]);

    expect(await twins.list({ partitionKey: 'a|b' })).toHaveLength(1);
  });
});
