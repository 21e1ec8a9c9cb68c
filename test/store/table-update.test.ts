import { randomUUID } from 'node:crypto';
import { TableClient } from '@azure/data-tables';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { MOST_TRIES, untilStored } from '../../src/store/tables/optimistic.ts';
import { openTables, type Row, TABLES, Table } from '../../src/store/tables/tables.ts';
import { storageAccount } from '../support/storage-account.ts';

let connectionString = '';
let table: Table;
beforeAll(async () => {
  connectionString = await storageAccount();
  table = openTables({ kind: 'connectionString', connectionString }).state;
});
let partition = '';
beforeEach(() => {
  partition = randomUUID();
});
const countIn = (row: Row | undefined) => Number(row?.properties.count ?? 0);
const increment = () =>
  table.update(partition, 'counter', (row) => {
    const count = countIn(row) + 1;
    return { put: { count }, result: count };
  });
const stored = () => table.get(partition, 'counter');

describe('Table.update', () => {
  test('creates a row, changes it, and returns the result', async () => {
    expect([await increment(), await increment()]).toEqual([1, 2]);
    expect((await stored())?.properties).toMatchObject({ count: 2 });
  });

  test('loses none of eight changes that are made at the same time', async () => {
    const counts = await Promise.all(Array.from({ length: 8 }, increment));

    expect([...counts].sort((left, right) => left - right)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(countIn(await stored())).toBe(8);
  });

  test('writes nothing if the change leaves the row as it is', async () => {
    await increment();
    const before = await stored();

    expect(
      await table.update(partition, 'counter', (row) => ({ put: 'unchanged', result: countIn(row) })),
    ).toBe(1);
    expect(await table.update(partition, 'none', () => ({ put: 'unchanged', result: 'x' }))).toBe('x');

    expect((await stored())?.etag).toBe(before?.etag);
    expect(await table.get(partition, 'none')).toBeUndefined();
  });

  test('writes nothing and does not try again if the change throws', async () => {
    await increment();
    let calls = 0;

    const update = table.update(partition, 'counter', () => {
      calls += 1;
      throw new Error('no');
    });

    await expect(update).rejects.toThrow('no');
    expect([calls, countIn(await stored())]).toEqual([1, 1]);
  });

  test.each<[string, () => Promise<unknown>, number]>([
    ['changed', () => table.put(partition, 'counter', { count: 10 }), 11],
    ['deleted', () => table.delete(partition, 'counter'), 1],
  ])('decides again if another writer has %s the row after it was read', async (_, meanwhile, result) => {
    await increment();
    let reads = 0;
    // The SDK's client, with another writer between the first read and its write.
    const client = TableClient.fromConnectionString(connectionString, TABLES.state, {
      allowInsecureConnection: true,
    });
    const getEntity = client.getEntity.bind(client);
    client.getEntity = async (...key) => {
      reads += 1;
      const entity = await getEntity(...key);
      if (reads === 1) await meanwhile();
      return entity as never;
    };

    const count = await new Table('state', async () => client).update(partition, 'counter', (row) => {
      const next = countIn(row) + 1;
      return { put: { count: next }, result: next };
    });

    expect([count, reads, countIn(await stored())]).toEqual([result, 2, result]);
  });
});

describe('untilStored', () => {
  test('ends after ten tries with a coded error that names what could not be changed', async () => {
    const tries: number[] = [];

    const stored = untilStored('The row x', async (earlier) => {
      tries.push(earlier);
      return 'conflict';
    });

    await expect(stored).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
      message: expect.stringMatching(/^The row x .*10 times/),
    });
    expect(tries).toEqual(Array.from({ length: MOST_TRIES }, (_, index) => index));
  });

  test('passes other errors on without another try', async () => {
    let calls = 0;
    const stored = untilStored('The row x', async () => {
      calls += 1;
      throw new Error('away');
    });

    await expect(stored).rejects.toThrow('away');
    expect(calls).toBe(1);
  });
});
