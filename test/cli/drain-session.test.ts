import { createServer, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { listen as listenOn } from '../../local/listen.ts';
import { withDrainSession } from '../../src/cli/hubs/silent/session.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { openStores } from '../../src/store/stores.ts';
import { openTables } from '../../src/store/tables/tables.ts';
import { EUS, WEU } from '../local/iot-hub/local-hubs.ts';
import { storageAccount } from '../support/storage-account.ts';
import { listen } from './terminals.ts';

const [DRAINED, THERE] = [hostName(WEU), hostName(EUS)];
const server = createServer((_request, response) => answer(response));
let answer: (response: ServerResponse) => void;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  const connectionString = await storageAccount();
  const port = await listenOn(server, 0, 'the hubs');
  env = { AzureWebJobsStorage: connectionString, IOT_ENDPOINT: `http://127.0.0.1:${port}` };
  const hubs = [DRAINED, THERE].map((host) => ({ host, region: 'westeurope', tier: 'S3', units: 1 }));
  const { revisions } = openStores(openTables({ kind: 'connectionString', connectionString }));
  await revisions.keep('r', JSON.stringify({ hubs }), '2026-11-23T00:00:00Z');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const refuse = (status: number, name: string) => {
  answer = (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ Message: `ErrorCode:${name};no`, ExceptionMessage: '' }));
  };
};
/** Asks for the identity of a device in the hub to which it has moved. */
async function statusThere() {
  const results: unknown[] = [];
  await withDrainSession(listen(env).cli, DRAINED, 60_000, async ({ tools }) => {
    results.push(await tools.statusThere(THERE, 'pump-7'));
    return 0;
  });
  return results;
}

test.each([
  ['refuses the sign-in of the operator', 401, 'IotHubUnauthorizedAccess'],
  ['was disabled', 403, 'IotHubSuspended'],
  ['was deleted', 404, 'IotHubNotFound'],
])('a device is unknown in a hub that %s', async (_, status, name) => {
  refuse(status, name);

  expect(await statusThere()).toEqual(['unknown']);
});

test.each([
  ['fails over', 404, 'IotHubFailingOver'],
  ['is down', 503, 'ServiceUnavailable'],
])('the status of a device in a hub that %s is asked for again', async (_, status, name) => {
  refuse(status, name);

  await expect(statusThere()).rejects.toMatchObject({ code: 'BERTH_HUB_UNAVAILABLE', status });
});
