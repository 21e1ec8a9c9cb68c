import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type ControlApi, EventFeed, startControlApi } from '../../local/control-api/index.ts';
import { createDps, type Dps } from '../../local/dps/index.ts';
import { type EventHubs, startEventHubs } from '../../local/event-hubs/index.ts';
import { Watchers } from '../../local/monitor/watchers.ts';
import { DEFAULT_PORTS } from '../../local/options.ts';
import { EUS, type LocalHubs, startLocalHubs, until, WEU } from './iot-hub/local-hubs.ts';
import { NO_FAULTS } from './iot-hub/no-faults.ts';

describe('/faults of the control API', () => {
  let local: LocalHubs;
  /** Milliseconds by which the hubs' clock goes before the real one. */
  let passed: number;
  let eventHubs: EventHubs;
  let dps: Dps;
  let api: ControlApi;

  beforeAll(async () => {
    passed = 0;
    local = await startLocalHubs({ now: () => Date.now() + passed });
    eventHubs = await startEventHubs({ port: 0, hubs: [] });
    dps = createDps({
      idScope: '0ne',
      serviceHost: 'dps',
      enrollments: [],
      linkedHubs: [{ host: WEU }],
      hub: local.hubs.provisioning,
    });
    api = await startControlApi(0, {
      hubs: local.hubs,
      dps,
      eventHubs,
      eventHub: 'none',
      consumerGroups: [],
      storage: '',
      processes: () => [],
      stack: () => ({
        ports: DEFAULT_PORTS,
        idScope: '',
        root: '',
        plain: false,
        certificates: { root: 'root.pem', bundle: 'bundle.pem' },
        settings: {},
      }),
      watchers: new Watchers(),
      builtInEndpoint: (host) => ({ eventHubName: `events-of-${host}`, connectionString: '' }),
      ownDevice: () => Promise.reject(new Error('not asked for')),
      feed: new EventFeed(),
      runCommand: async () => ({ exitCode: 0, out: '', err: '' }),
      consoleFolder: 'no console',
    });
    for (const host of [WEU, EUS]) await local.registry(host).addDevices([{ deviceId: 'pump' }]);
  });
  afterEach(() => call('DELETE', '/faults'));
  afterAll(async () => {
    await api.close();
    dps.close();
    await eventHubs.close();
    await local.close();
  });

  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${api.port}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  const edit = (value: number, host = WEU) =>
    call('PATCH', `/hubs/${host}/devices/pump`, { properties: { desired: { value } } });
  const statusOf = (host: string) =>
    local
      .registry(host)
      .getTwin('pump')
      .then(
        () => 200,
        (error: { response: { statusCode: number } }) => error.response.statusCode,
      );
  /** Versions of the twin in the events of a hub since the mark. */
  const versionsSince = (mark: number, host = WEU) =>
    local.events
      .slice(mark)
      .filter((event) => event.host === host)
      .map(({ body }) => body.version);

  test('GET lists no faults at first', async () => {
    expect(await call('GET', '/faults')).toEqual({ status: 200, body: [] });
  });

  test('PUT without a hub sets the faults of all hubs, and GET counts how often each one occurred', async () => {
    const put = await call('PUT', '/faults', { seed: 7, throttleRate: 1 });
    expect(put.status).toBe(200);
    expect(await statusOf(WEU)).toBe(429);
    expect(await statusOf(EUS)).toBe(429);
    expect(await statusOf(EUS)).toBe(429);

    const counts = { latency: 0, error: 0, throttle: 0, timeout: 0, duplicate: 0, replay: 0 };
    const none = {
      seed: 7,
      latencyMs: 0,
      errorRate: 0,
      throttleRate: 1,
      timeoutRate: 0,
      duplicateRate: 0,
      replayRate: 0,
      coalesceRate: 0,
      dropRate: 0,
      notificationDropRate: 0,
      failover: false,
      outageLeftMs: 0,
      counts: { ...counts, coalesce: 0, drop: 0, notificationDrop: 0, outage: 0, failover: 0 },
    };
    expect(put.body).toEqual([
      { hub: WEU, ...none },
      { hub: EUS, ...none },
    ]);
    expect((await call('GET', '/faults')).body).toEqual([
      { hub: WEU, ...none, counts: { ...none.counts, throttle: 1 } },
      { hub: EUS, ...none, counts: { ...none.counts, throttle: 2 } },
    ]);
  });

  test('the faults of one hub are replaced and deleted independently of the other hub', async () => {
    await call('PUT', '/faults', { seed: 1, hub: WEU, throttleRate: 1 });
    await call('PUT', '/faults', { seed: 1, hub: EUS.toUpperCase(), outageMs: 60_000 });
    expect([await statusOf(WEU), await statusOf(EUS)]).toEqual([429, 503]);

    await call('PUT', '/faults', { seed: 1, hub: WEU, errorRate: 1 });
    expect([500, 503]).toContain(await statusOf(WEU));

    expect((await call('DELETE', `/faults?hub=${EUS}`)).status).toBe(204);
    expect(await statusOf(EUS)).toBe(200);
    expect((await call('GET', '/faults')).body).toMatchObject([{ hub: WEU, errorRate: 1, throttleRate: 0 }]);
    expect((await call('DELETE', '/faults')).status).toBe(204);
    expect(await statusOf(WEU)).toBe(200);
    expect((await call('GET', '/faults')).body).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['no body', undefined, /the body is empty: write a JSON object/],
    ['a body without a seed', { errorRate: 1 }, /seed/],
    ['a seed that is not a whole number', { seed: 1.5 }, /seed/],
    ['a rate above 1', { seed: 1, dropRate: 1.1 }, /dropRate/],
    ['a rate below 0', { seed: 1, replayRate: -0.1 }, /replayRate/],
    ['a rate that is not a number', { seed: 1, errorRate: '1' }, /errorRate/],
    ['a negative latency', { seed: 1, latencyMs: -1 }, /latencyMs/],
    ['an endless outage', { seed: 1, outageMs: 1e12 }, /outageMs/],
    ['a failover that is not a boolean', { seed: 1, failover: 1 }, /failover/],
    ['an unknown key', { seed: 1, droprate: 1 }, /droprate/],
  ])('PUT with %s is refused, and the error names the field', async (_what, body, message) => {
    const answer = await call('PUT', '/faults', body);

    expect(answer.status).toBe(400);
    expect(answer.body.error).toEqual({
      code: 'BERTH_LOCAL_REQUEST_INVALID',
      message: expect.stringMatching(message),
      details: [],
    });
    expect((await call('GET', '/faults')).body).toEqual([]);
  });

  test.each([
    ['PUT', '/faults', { seed: 1, hub: 'nowhere.azure-devices.net' }, 404],
    ['DELETE', '/faults?hub=nowhere.azure-devices.net', undefined, 404],
    ['POST', '/faults', { seed: 1 }, 405],
    ['GET', '/faults/1', undefined, 404],
  ])('%s %s is refused', async (method, path, body, status) => {
    const answer = await call(method, path, body);
    expect([answer.status, answer.body.error.code]).toEqual([status, expect.stringMatching(/^BERTH_LOCAL_/)]);
  });

  test('faults affect the events of edits through the control API, but never refuse the edits', async () => {
    await call('PUT', '/faults', { seed: 1, hub: WEU, outageMs: 60_000, errorRate: 1, duplicateRate: 1 });
    const mark = local.events.length;
    const { status, body } = await edit(1);

    expect(status).toBe(200);
    expect(versionsSince(mark)).toEqual([body.version, body.version]);
  });

  test('faults affect the events of modules, in order with those of their device', async () => {
    const camera = `/hubs/${WEU}/devices/pump/modules/camera`;
    await call('PUT', camera);
    const editCamera = (value: number) => call('PATCH', camera, { properties: { desired: { value } } });
    await call('PUT', '/faults', { seed: 1, hub: WEU, coalesceRate: 1 });
    const mark = local.events.length;
    await editCamera(1);
    const { body: device } = await edit(1.5);
    const { body: module } = await editCamera(2);
    expect(local.events).toHaveLength(mark);
    await call('DELETE', '/faults');

    expect(local.events.slice(mark)).toMatchObject([
      { partitionKey: 'pump', body: { version: device.version } },
      { partitionKey: 'pump', properties: { moduleId: 'camera' }, body: { version: module.version } },
    ]);
    expect(local.events.at(-1)?.body.properties.desired).toMatchObject({ value: 2, $version: 3 });
    await call('DELETE', camera);
  });

  test('DELETE sends the events that are held back', async () => {
    await call('PUT', '/faults', { seed: 1, coalesceRate: 1 });
    const mark = local.events.length;
    await edit(2);
    const { body } = await edit(3);
    expect(versionsSince(mark)).toEqual([]);
    await call('DELETE', '/faults');

    expect(versionsSince(mark)).toEqual([body.version]);
    expect(local.events.at(-1)?.body.properties.desired).toMatchObject({
      value: 3,
      $version: expect.any(Number),
    });
  });

  test('PUT sends the events that are held back', async () => {
    await call('PUT', '/faults', { seed: 1, coalesceRate: 1 });
    const mark = local.events.length;
    const { body } = await edit(4);
    await call('PUT', '/faults', { seed: 1, dropRate: 1 });
    await edit(5);
    expect(versionsSince(mark)).toEqual([body.version]);
  });

  test('an event that is held back is sent after two seconds if no other follows', async () => {
    await call('PUT', '/faults', { seed: 1, hub: WEU, coalesceRate: 1 });
    const mark = local.events.length;
    const { body } = await edit(6);
    await until(() => local.events.length > mark, 'the event');
    expect(versionsSince(mark)).toEqual([body.version]);
  });

  test('a failover restores older twins of a hub, refuses its calls for a while, and does not affect the other hub', async () => {
    await edit(7);
    await edit(8, EUS);
    const last = await edit(9);
    const mark = local.events.length;
    const { body } = await call('PUT', '/faults', { seed: 3, hub: WEU, failover: true, outageMs: 1_800_000 });

    expect(body).toMatchObject([{ hub: WEU, failover: true, counts: { failover: 1 } }]);
    expect([await statusOf(WEU), await statusOf(EUS)]).toEqual([404, 200]);
    const { body: twin } = await call('GET', `/hubs/${WEU}/devices/pump`);
    expect(twin.version).toBeLessThan(last.body.version);
    expect(local.events).toHaveLength(mark);
    // Half an hour: the SDK's tokens are valid for an hour.
    passed = 1_800_000;
    expect(await statusOf(WEU)).toBe(200);
  });
});

test('closing the hubs sends the events that are held back', async () => {
  const local = await startLocalHubs();
  const hub = local.hubs.view(WEU);
  await local.registry(WEU).addDevices([{ deviceId: 'pump' }]);
  hub?.setFaults({ ...NO_FAULTS, coalesceRate: 1 });
  hub?.edit('pump', { tags: { a: 1 } }, 'service');
  expect(local.events).toHaveLength(1);
  await local.close();
  expect(local.events.at(-1)?.body).toMatchObject({ tags: { a: 1 } });
  expect(local.log).toEqual([]);
});
