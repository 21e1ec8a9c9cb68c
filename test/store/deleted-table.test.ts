import { TableServiceClient } from '@azure/data-tables';
import { beforeEach, expect, test } from '@jest/globals';
import { withPause } from '../../src/control/pauses.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { openStores } from '../../src/store/stores.ts';
import { openTables, TABLES, type Table, type Tables } from '../../src/store/tables/tables.ts';
import { WriteGate } from '../../src/sync/reconcile/write-gate.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { storageAccount } from '../support/storage-account.ts';

/* Somebody deletes a table while the app runs. It must not look like an empty table: an empty control row pauses nothing. */

const NOW = epochMs(Date.UTC(2026, 10, 29));
const HOST = hostName('weu.azure-devices.net');

let tables: Tables;
let drop: () => Promise<void>;
beforeEach(async () => {
  const connectionString = await storageAccount();
  tables = openTables({ kind: 'connectionString', connectionString });
  const service = TableServiceClient.fromConnectionString(connectionString, {
    allowInsecureConnection: true,
  });
  drop = () => service.deleteTable(TABLES.state);
  await tables.state.put('a', 'b', { c: 1 });
});

test.each<[string, (table: Table) => Promise<unknown>]>([
  ['get', (table) => table.get('a', 'b')],
  ['list', (table) => table.list({ partitionKey: 'a' })],
  ['scan', (table) => table.scan({}).next()],
  ['put', (table) => table.put('a', 'b', {})],
  ['putIfUnchanged', (table) => table.putIfUnchanged('a', 'b', {}, undefined)],
  ['update', (table) => table.update('a', 'b', () => ({ put: {}, result: undefined }))],
  ['delete', (table) => table.delete('a', 'b')],
  ['deleteIfUnchanged', (table) => table.deleteIfUnchanged('a', 'b', '*')],
  ['transact', (table) => table.transact([['upsert', { partitionKey: 'a', rowKey: 'b' }, 'Replace']])],
])('%s of a deleted table fails, and says what to do', async (_, act) => {
  await drop();

  await expect(act(tables.state)).rejects.toMatchObject({
    code: 'BERTH_STORE_UNAVAILABLE',
    message:
      'The table berthstate was deleted. Stop the app, import the last export with "berth state import", and start the app again.',
  });
});

test('a missing row in a table that exists is no failure', async () => {
  expect(await tables.state.get('a', 'c')).toBeUndefined();
  expect(await tables.state.deleteIfUnchanged('a', 'c', '*')).toBe('deleted');
  expect(await tables.state.transact([['delete', { partitionKey: 'a', rowKey: 'c' }]])).toMatchObject({
    ok: false,
    why: 'missing',
  });
});

test('nothing is written to a hub while the table with the pauses is deleted', async () => {
  const { control } = openStores(tables);
  await control.update((row) => withPause(row, { kind: 'fleet' }, { author: 'ada', reason: 'x', at: NOW }));
  await drop();
  const gate = await new WriteGate(control, '2026-11-29T00:00:00Z', () => NOW).current();

  expect(gate.closedFor(HOST)).toBe('the control row cannot be read');
});

test('the hash of a kept-out device never changes, because stored lists depend on it', async () => {
  const { keptOut } = openStores(tables);
  await keptOut.add('Pump-7', 'ada', NOW);

  const [row] = await tables.state.list({ partitionKey: 'kept-out' });
  expect(row?.rowKey).toBe('8c05d96630ed2a8cf7d819392b2220aeee1f6741f719e97d4e5836e7c05ea959');
  expect((await keptOut.read())('PUMP-7')).toBe(true);
  expect(JSON.stringify(row).toLowerCase()).not.toContain('pump');
});
