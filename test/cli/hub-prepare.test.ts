import { afterEach, expect, test } from '@jest/globals';
import { FunctionApp } from '../support/function-app.ts';
import { berth, listen } from './terminals.ts';

const HEARTBEAT = 'berth-heartbeat';

let app: FunctionApp;
afterEach(() => app.close());
const open = async () => {
  app = await FunctionApp.open();
  const instance = app.instance();
  const { revision, file } = instance.fleet.current();
  const text = JSON.stringify({ ...file, $schema: undefined });
  await instance.stores.revisions.keep(revision, text, instance.build);
  return listen(app.settings);
};

test('berth hub prepare creates the enabled identity of the heartbeat once, and keeps no key', async () => {
  const { cli, err } = await open();

  expect(await berth(cli, 'hub', 'prepare', app.host)).toBe(0);

  expect(app.hub().twin(HEARTBEAT)).toMatchObject({ status: 'enabled' });
  expect(err()).toContain(`${app.host} has the identity berth-heartbeat now.`);
  expect(await berth(cli, 'hub', 'prepare', app.host.toUpperCase())).toBe(0);
  expect(err()).toContain('has the identity berth-heartbeat already. Nothing was changed.');
  expect(app.calls.filter((call) => call.startsWith('PUT'))).toEqual([`PUT /devices/${HEARTBEAT}`]);
});

test('berth hub prepare does not enable an identity that is disabled, and names the command that does', async () => {
  const { cli, err } = await open();
  app.create(HEARTBEAT, {});
  await app.setStatus(HEARTBEAT, 'disabled');

  expect(await berth(cli, 'hub', 'prepare', app.host)).toBe(1);

  expect(err()).toContain('az iot hub device-identity update --hub-name hub-0 --device-id berth-heartbeat');
  expect(app.calls.filter((call) => call.startsWith('PUT'))).toEqual([]);
});

test('berth hub prepare refuses a hub that the fleet file does not define', async () => {
  const { cli } = await open();

  await expect(berth(cli, 'hub', 'prepare', 'other.azure-devices.net')).rejects.toMatchObject({
    code: 'BERTH_HUB_UNKNOWN',
  });
});
