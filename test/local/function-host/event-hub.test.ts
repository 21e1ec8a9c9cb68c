import { createServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startEventHubs } from '../../../local/event-hubs/index.ts';
import { listen } from '../../../local/listen.ts';
import { eventually } from '../../support/eventually.ts';
import { storageAccount } from '../../support/storage-account.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { batchesOf, eventsOf, recordingApp, type Stage, setStage } from './event-hub-stage.ts';
import { buildHost } from './host-process.ts';

let storage: string;
let file: string;
let stage: Stage;

beforeAll(async () => {
  const [built, account] = await Promise.all([buildHost(), storageAccount()]);
  file = built;
  storage = account;
});

afterEach(async () => stage?.close());

const RETRY_TWICE = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: 1_000 };
const RETRY_FOR_EVER = { strategy: 'fixedDelay', maxRetryCount: -1, delayInterval: 1_000 };

describe('the arguments of an event hub handler', () => {
  test('a handler of many binary events gets the bytes unchanged, empty ones too, with matching metadata', async () => {
    stage = await setStage(file, storage);
    stage.append({
      body: Buffer.from([0xff, 0x00]),
      partitionId: '0',
      partitionKey: 'device-1',
      properties: { Foo: 'x', opType: 'updateTwin' },
      annotations: { 'iothub-connection-device-id': 'device-1', 'iothub-enqueuedtime': 1_700_000_000_500 },
      contentType: 'application/json',
      messageId: 'm-1',
    });
    stage.append({ body: Buffer.alloc(0), partitionId: '0' });
    stage.append({ body: Buffer.from('{"a":1}'), partitionId: '0', partitionKey: '42' });
    const host = await stage.start(await recordingApp({ reader: {} }));
    await eventsOf(host, 'reader', 3);

    const [batch] = await batchesOf(host, 'reader');

    expect(batch?.events).toEqual(['\xff\0', '', '{"a":1}']);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?$/);
    expect(batch?.metadata).toEqual({
      partitionContext: {
        isCheckpointingAfterInvocation: true,
        fullyQualifiedNamespace: 'localhost',
        eventHubName: stage.environment.HUB,
        consumerGroup: '$Default',
        partitionId: '0',
      },
      sequenceNumberArray: [0, 1, 2],
      offsetArray: [0, expect.any(Number), expect.any(Number)],
      partitionKeyArray: ['device-1', 42],
      enqueuedTimeUtcArray: [time, time, time],
      propertiesArray: [{ foo: 'x', opType: 'updateTwin' }, {}, {}],
      systemPropertiesArray: [
        {
          'iothub-connection-device-id': 'device-1',
          'iothub-enqueuedtime': '2023-11-14T22:13:20.500Z',
          'content-type': 'application/json',
          'message-id': 'm-1',
          'x-opt-sequence-number': 0,
          'x-opt-offset': '0',
          'x-opt-enqueued-time': expect.stringMatching(/Z$/),
          'x-opt-partition-key': 'device-1',
          sequenceNumber: 0,
          offset: 0,
          partitionKey: 'device-1',
          enqueuedTimeUtc: time,
        },
        expect.objectContaining({ sequenceNumber: 1, partitionKey: null }),
        expect.objectContaining({ sequenceNumber: 2, partitionKey: '42' }),
      ],
    });
  });

  test('a handler of many string events gets parsed JSON, and dropped empty events shift the metadata', async () => {
    stage = await setStage(file, storage);
    stage.say('{"a":1}', '', 'plain');
    const host = await stage.start(await recordingApp({ reader: { dataType: 'string' } }));

    expect(await eventsOf(host, 'reader', 2)).toEqual([{ a: 1 }, 'plain']);
    expect((await batchesOf(host, 'reader'))[0]?.metadata).toMatchObject({ sequenceNumberArray: [0, 1, 2] });
  });

  test('a handler of many events without a data type loses the whole batch of an event that is not JSON, and the checkpoint moves on', async () => {
    stage = await setStage(file, storage);
    stage.say('{"good":1}', 'poison');
    const host = await stage.start(await recordingApp({ reader: { dataType: '' } }));
    await host.printed(/reader failed .*event 1 is not JSON/);
    await eventually(stage.checkpoint, (sequenceNumber) => sequenceNumber === 1);

    stage.say('{"good":2}');

    expect(await eventsOf(host, 'reader', 1)).toEqual([{ good: 2 }]);
  });

  test('a handler of one event gets parsed events, whose members replace metadata of the same name', async () => {
    stage = await setStage(file, storage);
    stage.say(
      '{"sequenceNumber":999,"SystemProperties":{"iothub-connection-device-id":"other"},"n":1}',
      'plain',
    );
    const host = await stage.start(await recordingApp({ reader: { cardinality: 'one', dataType: '' } }));
    await eventsOf(host, 'reader', 2);

    const [first, second] = await batchesOf(host, 'reader');

    expect(first?.events).toEqual([expect.objectContaining({ n: 1 })]);
    expect(first?.metadata).toMatchObject({
      sequenceNumber: 999,
      systemProperties: { 'iothub-connection-device-id': 'other' },
      n: 1,
    });
    expect(second?.events).toEqual(['plain']);
    expect(second?.metadata).toMatchObject({ sequenceNumber: 1, partitionContext: { partitionId: '0' } });
    expect(await eventually(stage.checkpoint, (sequenceNumber) => sequenceNumber === 1)).toBe(1);
  });

  test('an app setting makes sequence numbers Long objects', async () => {
    stage = await setStage(file, storage);
    stage.say('a');
    const host = await stage.start(await recordingApp({ reader: {} }), {
      FUNCTION_HOST_LONG_SEQUENCE_NUMBERS: '1',
    });
    await eventsOf(host, 'reader', 1);

    const [batch] = await batchesOf(host, 'reader');

    expect(batch?.metadata).toMatchObject({
      sequenceNumberArray: [{ low: 0, high: 0, unsigned: false }],
      systemPropertiesArray: [{ sequenceNumber: 0 }],
    });
  });

  test('a handler that is fired by hand gets the text as one event', async () => {
    stage = await setStage(file, storage);
    const host = await stage.start(await recordingApp({ reader: {} }));

    expect(await host.fire('reader', 'by hand')).toBe(202);

    expect(await eventsOf(host, 'reader', 1)).toEqual(['by hand']);
  });
});

describe('batches of events', () => {
  test('a batch holds at most maxEventBatchSize events in order, and batches of one partition run one at a time', async () => {
    stage = await setStage(file, storage);
    const texts = Array.from({ length: 120 }, (_, index) => `event ${index}`);
    stage.say(...texts);
    const host = await stage.start(
      await recordingApp({ reader: {} }, { extensions: { eventHubs: { maxEventBatchSize: 50 } } }),
    );

    expect(await eventsOf(host, 'reader', 120)).toEqual(texts);
    const sizes = (await batchesOf(host, 'reader')).map(({ events }) => events.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(50);
    expect(await host.get('/api/most')).toBe(1);
  });

  test('batches of different partitions run in parallel', async () => {
    stage = await setStage(file, storage, { partitionCount: 4 });
    for (const partitionId of ['0', '1', '2', '3'])
      stage.append({ body: Buffer.from(partitionId), partitionId });
    const host = await stage.start(await recordingApp({ reader: {} }), { TAKES: '1000' });

    const events = await eventsOf(host, 'reader', 4);

    expect([...events].sort()).toEqual(['0', '1', '2', '3']);
    expect(await host.get('/api/most')).toBeGreaterThan(1);
  });

  test('each consumer group gets all events', async () => {
    stage = await setStage(file, storage, { consumerGroups: ['second'] });
    stage.say('a', 'b');
    const host = await stage.start(await recordingApp({ first: {}, second: { consumerGroup: '%GROUP%' } }), {
      GROUP: 'second',
    });

    expect(await eventsOf(host, 'first', 2)).toEqual(['a', 'b']);
    expect(await eventsOf(host, 'second', 2)).toEqual(['a', 'b']);
    expect(
      await eventually(
        () => stage.checkpoint('second'),
        (sequenceNumber) => sequenceNumber === 1,
      ),
    ).toBe(1);
  });

  test('checkpoints are written and reported as often as batchCheckpointFrequency says', async () => {
    stage = await setStage(file, storage);
    const eventHubs = { maxEventBatchSize: 1, batchCheckpointFrequency: 2 };
    const host = await stage.start(await recordingApp({ reader: {} }, { extensions: { eventHubs } }));
    stage.say('a', 'b', 'c');
    await eventsOf(host, 'reader', 3);

    const told = (await batchesOf(host, 'reader')).map(({ metadata }) => metadata.partitionContext);

    expect(await eventually(stage.checkpoint, (sequenceNumber) => sequenceNumber === 1)).toBe(1);
    expect(told).toMatchObject(
      [false, true, false].map((told) => ({ isCheckpointingAfterInvocation: told })),
    );
  });

  test('without a checkpoint, reading starts where initialOffsetOptions says', async () => {
    stage = await setStage(file, storage);
    stage.say('before');
    const eventHubs = { initialOffsetOptions: { type: 'fromEnd' } };
    const host = await stage.start(await recordingApp({ reader: {} }, { extensions: { eventHubs } }));
    await eventually(
      () =>
        stage.hubs
          .partitions(stage.environment.HUB ?? '')[0]
          ?.consumerGroups.flatMap(({ readers }) => readers) ?? [],
      (readers) => readers.length > 0,
    );

    stage.say('after');

    expect(await eventsOf(host, 'reader', 1)).toEqual(['after']);
  });
});

describe('a failed batch', () => {
  test('a failed batch without a retry policy is skipped: the checkpoint moves on', async () => {
    stage = await setStage(file, storage);
    const app = await recordingApp({ reader: {} });
    stage.say('bad');
    const host = await stage.start(app, { FAIL: 'bad' });
    await host.printed(/reader failed .*cannot take bad/);
    await eventually(stage.checkpoint, (sequenceNumber) => sequenceNumber === 0);
    await host.stop();

    const again = await stage.start(app, { FAIL: 'bad' });
    stage.say('good');

    expect(await eventsOf(again, 'reader', 1)).toEqual(['good']);
  });

  test('a failed batch is retried while its partition waits, and then the checkpoint moves on', async () => {
    stage = await setStage(file, storage);
    stage.say('bad');
    const host = await stage.start(await recordingApp({ reader: { retry: RETRY_TWICE } }), { FAIL: 'bad' });
    await host.printed(/reader runs again in 1000 ms \(retry 1 of 2\)/);
    const during = await stage.checkpoint();
    stage.say('good');

    expect(await eventsOf(host, 'reader', 4)).toEqual(['bad', 'bad', 'bad', 'good']);
    expect(during).toBeUndefined();
    expect((await batchesOf(host, 'reader')).map(({ retry }) => retry)).toEqual([
      null,
      { retryCount: 1, maxRetryCount: 2, exception: expect.objectContaining({ message: 'cannot take bad' }) },
      { retryCount: 2, maxRetryCount: 2, exception: expect.objectContaining({ message: 'cannot take bad' }) },
      null,
    ]);
    expect(await eventually(stage.checkpoint, (sequenceNumber) => sequenceNumber === 1)).toBe(1);
  });

  test('a batch with endless retries is read again after the host stops, because it has no checkpoint', async () => {
    stage = await setStage(file, storage);
    const app = await recordingApp({ reader: { retry: RETRY_FOR_EVER } });
    stage.say('bad');
    const host = await stage.start(app, { FAIL: 'bad' });
    await host.printed(/\(retry 1\)/);
    await host.stop();
    const stopped = await stage.checkpoint();

    const again = await stage.start(app);

    expect(stopped).toBeUndefined();
    expect(await eventsOf(again, 'reader', 1)).toEqual(['bad']);
    expect((await batchesOf(again, 'reader'))[0]?.retry).toBeNull();
  });
});

describe('the lifecycle of a host with an event hub', () => {
  test('a host that stops during a batch finishes it and writes no checkpoint for it', async () => {
    stage = await setStage(file, storage);
    const app = await recordingApp({ reader: {} });
    stage.say('long');
    const host = await stage.start(app, { TAKES: '1000' });
    await eventsOf(host, 'reader', 1);
    await host.stop();
    const stopped = await stage.checkpoint();

    const again = await stage.start(app);

    expect(stopped).toBeUndefined();
    expect(await eventsOf(again, 'reader', 1)).toEqual(['long']);
  });

  test('a killed host is replaced by one that continues after the checkpoint', async () => {
    stage = await setStage(file, storage, { partitionCount: 2 });
    const app = await recordingApp({ reader: {} });
    stage.say('first');
    const host = await stage.start(app);
    await eventually(stage.checkpoint, (sequenceNumber) => sequenceNumber === 0);
    await host.kill();
    stage.say('second');

    const again = await stage.start(app);

    expect(await eventsOf(again, 'reader', 1)).toEqual(['second']);
  });

  test('a host that starts before Event Hubs waits for it and logs that once', async () => {
    const name = `hub-late-${process.pid}`;
    const port = await freePort();
    stage = await setStage(file, storage);
    const host = await stage.start(await recordingApp({ reader: {} }), {
      EVENTS: stage.environment.EVENTS?.replace(/:\d+/, `:${port}`) ?? '',
      HUB: name,
    });
    await host.printed(/reader cannot reach the event hub hub-late-\d+ \(.*\) and keeps trying/);

    const hubs = stage.alsoClose(
      await startEventHubs({ port, hubs: [{ name, partitionCount: 1, consumerGroups: [] }] }),
    );
    hubs.append(name, { body: Buffer.from('late') });

    expect(await eventsOf(host, 'reader', 1)).toEqual(['late']);
    expect(host.output().match(/cannot reach/g)).toHaveLength(1);
    await host.printed(/reader can reach the event hub hub-late-\d+ again/);
  });

  test('a host continues by itself after Event Hubs was unavailable', async () => {
    const name = `hub-restarted-${process.pid}`;
    const options = {
      directory: temporaryFolder('function-host'),
      hubs: [{ name, partitionCount: 1, consumerGroups: [] }],
    };
    stage = await setStage(file, storage);
    const first = stage.alsoClose(await startEventHubs({ ...options, port: 0 }));
    const host = await stage.start(await recordingApp({ reader: {} }), {
      EVENTS: first.connectionString(),
      HUB: name,
    });
    first.append(name, { body: Buffer.from('before') });
    await eventsOf(host, 'reader', 1);
    await first.close();
    await host.printed(/reader cannot reach the event hub hub-restarted-\d+ or/);

    const second = stage.alsoClose(await startEventHubs({ ...options, port: first.port }));
    second.append(name, { body: Buffer.from('after') });

    expect(await eventsOf(host, 'reader', 2)).toEqual(['before', 'after']);
  });
});

describe('settings that are missing or that only Azure supports', () => {
  test.each([
    ['EVENTS', { EVENTS: '' }, 'the app setting EVENTS, which must hold a connection string, is missing'],
    ['HUB', { HUB: '' }, 'the app setting HUB (for "%HUB%") is missing'],
    [
      'AzureWebJobsStorage',
      { AzureWebJobsStorage: '' },
      'the app setting AzureWebJobsStorage, which must hold a connection string, is missing',
    ],
    [
      'EVENTS__fullyQualifiedNamespace',
      { EVENTS: '', EVENTS__fullyQualifiedNamespace: 'contoso.servicebus.windows.net' },
      'the app setting EVENTS__fullyQualifiedNamespace needs an identity-based connection',
    ],
    [
      'EVENTS',
      { EVENTS: 'not a connection string' },
      'the app setting EVENTS is not an Event Hubs connection string',
    ],
  ])('the setting %s in %j stops one function, and the others run', async (_, environment, problem) => {
    stage = await setStage(file, storage);
    const host = await stage.start(await recordingApp({ reader: {} }), environment);

    expect(host.functions).toContainEqual({
      name: 'reader',
      type: 'eventHubTrigger',
      problem: expect.stringContaining(problem),
    });
    expect(await host.get('/api/batches')).toEqual([]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0, 'a test');
  await new Promise((done) => server.close(done));
  return port;
}
