import { BlobServiceClient } from '@azure/storage-blob';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { handledPositions } from '../../src/event-hub/checkpoints.ts';
import { lookAtEventHub } from '../../src/event-hub/look.ts';
import { storageAccount } from '../support/storage-account.ts';

/* The blobs are those of the Functions host, written with Microsoft's SDK. */

const TWIN_EVENTS =
  'Endpoint=sb://Contoso.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0';
let storage: string;
beforeAll(async () => {
  storage = await storageAccount();
  const container =
    BlobServiceClient.fromConnectionString(storage).getContainerClient('azure-webjobs-eventhub');
  await container.create();
  const put = (name: string, metadata: Record<string, string>) =>
    container.getBlockBlobClient(name).upload('', 0, { metadata });
  const group = 'contoso.servicebus.windows.net/twin-events/$default';
  await put(`${group}/checkpoint/0`, { sequencenumber: '41', offset: '1000' });
  await put(`${group}/checkpoint/12`, { sequencenumber: '0', offset: '0' });
  await put(`${group}/checkpoint/13`, { sequencenumber: '', offset: '7' });
  await put(`${group}/ownership/0`, { ownerid: 'x' });
  await put('contoso.servicebus.windows.net/twin-events/other/checkpoint/1', { sequencenumber: '7' });
  await put('contoso.servicebus.windows.net/other/$default/checkpoint/1', { sequencenumber: '8' });
  await put('contosoxservicebus.windows.net/twin-events/$default/checkpoint/1', { sequencenumber: '9' });
});

describe('the checkpoints of the functions', () => {
  test('are those of its own consumer group, Event Hub and namespace', async () => {
    expect(await handledPositions({ AzureWebJobsStorage: storage, TWIN_EVENTS })).toEqual({
      kind: 'read',
      positions: new Map([
        ['0', 41],
        ['12', 0],
      ]),
    });
  });

  test.each([
    ['another consumer group', { TWIN_EVENTS_CONSUMER_GROUP: 'Other' }, 7],
    ['another Event Hub', { TWIN_EVENTS_NAME: 'Other' }, 8],
  ])('follow the setting of %s', async (_, settings, position) => {
    expect(await handledPositions({ AzureWebJobsStorage: storage, TWIN_EVENTS, ...settings })).toMatchObject({
      positions: new Map([['1', position]]),
    });
  });

  test.each([
    `${TWIN_EVENTS};EntityPath=Other`,
    `${TWIN_EVENTS} ; entitypath = other ;`,
    `EntityPath=other;${TWIN_EVENTS}`,
  ])('are those of the Event Hub that the connection string names: %s', async (connection) => {
    const settings = {
      AzureWebJobsStorage: storage,
      TWIN_EVENTS: connection,
      TWIN_EVENTS_NAME: 'twin-events',
    };

    expect(await handledPositions(settings)).toMatchObject({ positions: new Map([['1', 8]]) });
  });

  test('are those of the setting where the connection string has an empty EntityPath', async () => {
    const settings = { AzureWebJobsStorage: storage, TWIN_EVENTS: `${TWIN_EVENTS};EntityPath=` };

    expect(await handledPositions({ ...settings, TWIN_EVENTS_NAME: 'other' })).toMatchObject({
      positions: new Map([['1', 8]]),
    });
  });

  test('are none where the container does not exist', async () => {
    const empty = await storageAccount();

    expect(await handledPositions({ AzureWebJobsStorage: empty, TWIN_EVENTS })).toEqual({
      kind: 'read',
      positions: new Map(),
    });
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['no setting names the Event Hub', {}, /TWIN_EVENTS/],
    [
      'the key is wrong',
      { TWIN_EVENTS, AzureWebJobsStorage: 'wrong key' },
      /the storage of the functions answers 403 for the checkpoints/,
    ],
    [
      'nothing answers',
      { TWIN_EVENTS, AzureWebJobsStorage: 'AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a' },
      /cannot be reached \(ECONNREFUSED\)/,
    ],
  ])('cannot be read if %s, and the reason has no secret', async (_, settings, why) => {
    const wrong = storage.replace(/AccountKey=[^;]+/, 'AccountKey=d3Jvbmc=');
    const env = { AzureWebJobsStorage: storage, ...settings };
    if (env.AzureWebJobsStorage === 'wrong key') env.AzureWebJobsStorage = wrong;

    const found = await handledPositions(env);

    expect(found).toMatchObject({ kind: 'failed', why: expect.stringMatching(why) });
    expect(JSON.stringify(found)).not.toMatch(/c2VjcmV0|d3Jvbmc=|a2V5/);
  });
});

test('a look at an Event Hub that does not answer fails with a reason without the connection string', async () => {
  const unreachable =
    'Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true';

  const look = await lookAtEventHub({ AzureWebJobsStorage: storage, TWIN_EVENTS: unreachable });

  expect(look).toMatchObject({ kind: 'failed', why: expect.stringMatching(/Event Hub/) });
  expect(JSON.stringify(look)).not.toContain('c2VjcmV0');
});
