import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { jsonPatch } from '../../../local/iot-hub/model/json-patch.ts';
import { HUB_ROUTING } from '../../../local/iot-hub/routing/hub-routing.ts';
import { createRouter } from '../../../local/iot-hub/routing/router.ts';
import { type LocalHubs, report, type SeenEvent, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const MODEL = 'dtmi:com:example:TemperatureController;1';

describe('a JSON Patch between two objects', () => {
  test.each([
    ['nothing', { a: 1, l: [1] }, { l: [1], a: 1 }, []],
    ['a new value', {}, { a: { b: 1 } }, [{ op: 'add', path: '/a', value: { b: 1 } }]],
    ['a removed value', { a: 1 }, {}, [{ op: 'remove', path: '/a' }]],
    [
      'a value inside',
      { a: { b: 1, c: 2 } },
      { a: { b: 3, c: 2 } },
      [{ op: 'replace', path: '/a/b', value: 3 }],
    ],
    ['a list', { a: [1, 2] }, { a: [1, 3] }, [{ op: 'replace', path: '/a', value: [1, 3] }]],
    ['another kind of value', { a: { b: 1 } }, { a: 1 }, [{ op: 'replace', path: '/a', value: 1 }]],
    ['a name with ~ and /', {}, { 'a~/b': 1 }, [{ op: 'add', path: '/a~0~1b', value: 1 }]],
  ])('has an operation for %s', (_what, before, after, patch) => {
    expect(jsonPatch(before, after)).toEqual(patch);
  });
});

describe('events of digital twins and jobs', () => {
  let local: LocalHubs;
  const of = (source: string) =>
    local.events.filter(({ annotations }) => annotations['iothub-message-source'] === source);
  const digital = () => of('digitalTwinChangeEvents');

  beforeEach(async () => {
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local
      .registry(WEU)
      .addDevices(['dev-1', 'dev-2'].map((deviceId) => ({ deviceId, authentication })));
    local.events.length = 0;
  });
  afterEach(() => local.close());

  const open = async (deviceId = 'dev-1', modelId: string | null = MODEL) => {
    const client = await local.device(WEU, deviceId, KEY);
    if (modelId !== null) await client.setOptions({ ca: local.authority.root, modelId });
    await client.open();
    return client;
  };

  /* The bodies have the form of captures from a real hub: iot-pnp-service, "Read digital twin change notifications", 2020. */
  test('a report of a device with a model sends the change of its digital twin besides that of its twin', async () => {
    const twin = await (await open()).getTwin();

    await report(twin, { maxTempSinceLastReboot: 42.5 });
    await report(twin, { maxTempSinceLastReboot: 16.9 });
    await report(twin, { thermostat1: { __t: 'c', maxTempSinceLastReboot: 3.5 } });

    const [first, second, third] = digital();
    const at = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(first?.body).toEqual([
      { op: 'add', path: '/$metadata/maxTempSinceLastReboot', value: { lastUpdateTime: at } },
      { op: 'add', path: '/maxTempSinceLastReboot', value: 42.5 },
    ]);
    expect(second?.body).toEqual([
      { op: 'replace', path: '/$metadata/maxTempSinceLastReboot/lastUpdateTime', value: at },
      { op: 'replace', path: '/maxTempSinceLastReboot', value: 16.9 },
    ]);
    expect(third?.body).toEqual([
      {
        op: 'add',
        path: '/thermostat1',
        value: {
          $metadata: { maxTempSinceLastReboot: { lastUpdateTime: at } },
          maxTempSinceLastReboot: 3.5,
        },
      },
    ]);
    expect(first).toMatchObject({
      partitionKey: 'dev-1',
      contentType: 'application/json-patch+json',
      contentEncoding: 'utf-8',
      userId: 'contoso-weu',
      properties: {
        hubName: 'contoso-weu',
        deviceId: 'dev-1',
        'iothub-message-schema': 'digitalTwinChangeNotification',
        opType: 'updateTwin',
      },
    });
    const [update] = of('twinChangeEvents');
    expect(first?.correlationId).toBe(update?.correlationId);
    expect(first?.properties.operationTimestamp).toBe(update?.properties.operationTimestamp);
  });

  test('a write of a service to a component is the wish in its metadata', async () => {
    const twin = await (await open()).getTwin();
    await report(twin, { thermostat1: { __t: 'c', targetTemperature: { value: 20, ac: 203, av: 0 } } });
    local.events.length = 0;

    await local
      .registry(WEU)
      .updateTwin(
        'dev-1',
        { properties: { desired: { thermostat1: { __t: 'c', targetTemperature: 21.8 } } } },
        '*',
      );

    expect(digital()).toHaveLength(1);
    expect(digital()[0]?.body).toEqual([
      { op: 'add', path: '/thermostat1/$metadata/targetTemperature/desiredValue', value: 21.8 },
      { op: 'add', path: '/thermostat1/$metadata/targetTemperature/desiredVersion', value: 2 },
    ]);
  });

  test.each([
    ['a device without a model', 'dev-2'],
    ['a change of tags', 'dev-1'],
  ])('%s sends no change of a digital twin', async (_what, deviceId) => {
    const client = await open(deviceId, deviceId === 'dev-1' ? MODEL : null);
    if (deviceId === 'dev-2') await report(await client.getTwin(), { a: 1 });

    await local.registry(WEU).updateTwin(deviceId, { tags: { site: 'ams' } }, '*');

    expect(of('twinChangeEvents').length).toBeGreaterThan(0);
    expect(digital()).toEqual([]);
  });

  test('a job sends an event for each device when it ends there', async () => {
    const body = {
      jobId: 'job-1',
      type: 'scheduleUpdateTwin',
      updateTwin: { etag: '*', tags: { building: '43' } },
      queryCondition: "deviceId IN ['dev-1', 'dev-2']",
    };
    expect((await local.call('PUT', '/jobs/v2/job-1', { body })).status).toBe(200);

    await until(() => of('deviceJobLifecycleEvents').length === 2, 'the end of the job on both devices');

    const [first] = of('deviceJobLifecycleEvents');
    expect(first).toMatchObject({
      partitionKey: first?.body.deviceId,
      properties: {
        hubName: 'contoso-weu',
        deviceId: first?.body.deviceId,
        'iothub-message-schema': 'deviceJobLifecycleNotification',
        opType: 'deviceJobCompleted',
      },
      body: { jobId: 'job-1', jobType: 'scheduleUpdateTwin', status: 'completed' },
    });
  });

  test('routes take the events by their sources', async () => {
    await report(await (await open()).getTwin(), { a: 1 });
    const routing = HUB_ROUTING.parse({
      endpoints: { eventHubs: [{ name: 'models', entityPath: 'models' }] },
      routes: [{ name: 'models', source: 'DigitalTwinChangeEvents', endpointNames: ['models'] }],
    });
    const route = createRouter({ routing, hubName: 'contoso-weu', twinOf: () => undefined });

    const taken = local.events.flatMap((event: SeenEvent) => route({ ...event, body: event.raw }));

    expect(taken.map(({ endpoint, event }) => [endpoint, event.properties.opType])).toEqual([
      ['models', 'updateTwin'],
    ]);
  });
});
