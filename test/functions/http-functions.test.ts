import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { device } from '../../src/functions/device.ts';
import { explainAllocation } from '../../src/functions/explain-allocation.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import { health } from '../../src/functions/health.ts';
import { Instance } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { TwinStatus } from '../../src/twin/snapshot/snapshot.ts';
import { CAPTURED, HOSTS } from '../allocation/requests.ts';
import { letterOf } from '../store/letters.ts';
import { countAll } from '../support/count-all.ts';
import { call } from '../support/http-call.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { snapshotOf, T0 } from '../twin/twins.ts';

const FLEET = {
  hubs: ['weu', 'eus', 'sea'].map((name, index) => ({
    host: `${name}.azure-devices.net`,
    region: 'westeurope',
    tier: 'S1',
    weight: index + 1,
  })),
  allocation: { rules: [{ name: 'retired', when: "payload.model == 'x0'", deny: 'model x0 is retired' }] },
  twins: {
    initial: [{ name: 'base', tags: { site: '=payload.site' } }],
    policies: [{ name: 'interval', desired: { interval: 5 } }],
  },
};

let storage: string;
const instances: Instance[] = [];
const instanceOf = (fleet: unknown = FLEET, env: Readonly<Record<string, string>> = {}): Instance => {
  const folder = temporaryFolder('app');
  writeFileSync(join(folder, 'fleet.json'), typeof fleet === 'string' ? fleet : JSON.stringify(fleet));
  const instance = new Instance({
    env: { AzureWebJobsStorage: storage, ...env },
    directory: folder,
    build: '2026-11-23T00:00:00Z',
    now: () => T0,
    log: () => {},
  });
  instances.push(instance);
  return instance;
};

let instance: Instance;
beforeAll(async () => {
  storage = await storageAccount();
  instance = instanceOf();
});
afterAll(async () => {
  await Promise.all(instances.map((each) => each.stop()));
});

const request = (context: object = {}, linkedHubs: readonly unknown[] = HOSTS) => ({
  ...CAPTURED,
  deviceRuntimeContext: { ...CAPTURED.deviceRuntimeContext, ...context },
  linkedHubs,
});

describe('allocateDevice', () => {
  test('answers only a hub and the initial twin, spelt exactly as in DPS', async () => {
    const { status, body } = await call(allocateDevice(instance), {
      body: request({ payload: { site: 'ams' } }),
    });

    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['iotHubHostName', 'initialTwin']);
    expect(HOSTS).toContain(body.iotHubHostName);
    expect(body.initialTwin).toEqual({ tags: { site: 'ams' }, properties: { desired: {} } });
  });

  test('answers in ASCII for any content of the twin', async () => {
    const { text, body } = await call(allocateDevice(instance), {
      body: request({ payload: { site: 'Zürich 🏭' } }),
    });

    expect(text).toMatch(/^[ -~]*$/);
    expect(body.initialTwin).toMatchObject({ tags: { site: 'Zürich 🏭' } });
  });

  test('logs its receipt before the answer and stores it', async () => {
    const { lines } = await call(allocateDevice(instance), {
      body: request({ registrationId: 'receipt-1', payload: { site: 'ams' } }),
    });
    await instance.receipts.flush();

    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      event: 'allocated',
      receipt: { inputs: { registrationId: 'receipt-1' } },
    });
    expect(await instance.stores.receipts.list('receipt-1')).toHaveLength(1);
  });

  test('raises an alert for a value that fits no twin and still registers the device', async () => {
    const { status, body, lines } = await call(allocateDevice(instance), {
      body: request({ registrationId: 'long-1', payload: { site: 'x'.repeat(5_000) } }),
    });

    expect([status, body.initialTwin]).toEqual([200, undefined]);
    expect(lines.slice(1).map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        event: 'initialTwinBeyondLimits',
        registrationId: 'long-1',
        omitted: ['tags.site: base: is a string over 4 KB'],
      },
    ]);
    const missing = await call(allocateDevice(instance), { body: request({ registrationId: 'long-2' }) });
    expect(missing.lines).toHaveLength(1);
  });

  const linked = (hubs: readonly unknown[]) => request({}, hubs);
  const bad: readonly (readonly [string, unknown, string])[] = [
    ['an empty body', '', 'BERTH_REQUEST_NOT_JSON'],
    ['a body that is not JSON', 'hello', 'BERTH_REQUEST_NOT_JSON'],
    ['an array', '[]', 'BERTH_REQUEST_INVALID'],
    ['null', 'null', 'BERTH_REQUEST_INVALID'],
    ['a number', '5', 'BERTH_REQUEST_INVALID'],
    ['an empty object', '{}', 'BERTH_REQUEST_INVALID'],
    ['a megabyte', JSON.stringify({ a: 'x'.repeat(1024 * 1024) }), 'BERTH_REQUEST_TOO_LARGE'],
    ['bytes that are not a text', new Uint8Array([0xff, 0xfe, 0x00]), 'BERTH_REQUEST_NOT_JSON'],
    ['wrong types', { deviceRuntimeContext: 'x', linkedHubs: 'y' }, 'BERTH_REQUEST_INVALID'],
    ['a registration id of a wrong type', request({ registrationId: { a: 1 } }), 'BERTH_REQUEST_INVALID'],
    [
      'a registration id with invalid characters',
      request({ registrationId: '../../etc' }),
      'BERTH_REQUEST_INVALID',
    ],
    [
      'a __proto__ key',
      '{"__proto__":{"a":1},"linkedHubs":["a.b"],"deviceRuntimeContext":{"registrationId":"a"}}',
      'BERTH_REQUEST_INVALID',
    ],
    [
      'a __proto__ key deep in the payload',
      JSON.stringify(request({ payload: { a: 1 } })).replace('"a":1', '"__proto__":{"x":1}'),
      'BERTH_REQUEST_INVALID',
    ],
    ['an extremely deep body', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'BERTH_REQUEST_INVALID'],
    ['an empty list of linked hubs', linked([]), 'BERTH_REQUEST_INVALID'],
    ['linked hubs that are not texts', linked([1, null]), 'BERTH_REQUEST_INVALID'],
    [
      'linked hubs that are all unknown',
      linked(['evil.example.com', '__proto__', 'constructor']),
      'BERTH_NO_HUB_QUALIFIES',
    ],
    ['a model that a rule denies', request({ payload: { model: 'x0' } }), 'BERTH_REGISTRATION_DENIED'],
  ];
  test.each(bad)('answers 400 with a code for %s', async (_, body, code) => {
    const answer = await call(allocateDevice(instance), { body });

    expect(answer.status).toBe(400);
    expect(answer.body.error).toEqual({
      code,
      message: expect.stringMatching(/\.$/),
      details: expect.any(Array),
    });
  });

  test('never answers, logs or stores a key', async () => {
    const keys = {
      symmetricKey: { primaryKey: 'cHJpbWFyeQ==' },
      tpm: { endorsementKey: 'ZW5kb3JzZW1lbnQ=' },
    };
    const answers = [
      await call(allocateDevice(instance), { body: request({ ...keys, registrationId: 'keys-1' }) }),
      await call(allocateDevice(instance), { body: request({ ...keys, registrationId: 'cHJpbWFyeQ== ' }) }),
      await call(allocateDevice(instance), { body: `{"symmetricKey":"cHJpbWFyeQ==` }),
    ];
    await instance.receipts.flush();

    const seen = JSON.stringify([answers, await instance.stores.receipts.list('keys-1')]);
    expect(seen).not.toMatch(/cHJpbWFyeQ|ZW5kb3JzZW1lbnQ/);
  });

  test('answers 503 while no hub may receive devices, so that DPS tries again', async () => {
    const cordoned = instanceOf({ ...FLEET, hubs: FLEET.hubs.map((hub) => ({ ...hub, state: 'cordoned' })) });

    const { status, body } = await call(allocateDevice(cordoned), { body: request() });

    expect([status, body.error?.code]).toEqual([503, 'BERTH_NO_HUB_NOW']);
  });

  test('answers 503 with the problems when there has never been a valid fleet file', async () => {
    const { status, body } = await call(allocateDevice(instanceOf('{"hubs":[]}')), { body: request() });

    expect([status, body.error?.code]).toEqual([503, 'BERTH_FLEET_INVALID']);
    expect(body.error?.details).toEqual([{ path: 'hubs', message: 'write at least one hub' }]);
  });

  test('answers when the state tables are unavailable', async () => {
    const away = instanceOf(FLEET, {
      AzureWebJobsStorage: storage.replace(
        /TableEndpoint=[^;]+/,
        'TableEndpoint=http://127.0.0.1:9/devstoreaccount1',
      ),
    });

    expect((await call(allocateDevice(away), { body: request() })).status).toBe(200);
    expect(
      (await call(allocateDevice(instanceOf(FLEET, { AzureWebJobsStorage: '' })), { body: request() }))
        .status,
    ).toBe(200);
  });

  test('waits once, for at most 1.5 seconds, for tables that never answer, and later not at all', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const { port } = silent.address() as AddressInfo;
    const waiting = instanceOf(FLEET, {
      AzureWebJobsStorage: storage.replace(
        /TableEndpoint=[^;]+/,
        `TableEndpoint=http://127.0.0.1:${port}/devstoreaccount1`,
      ),
    });
    await import('@azure/data-tables');
    // Only the clock is simulated. It moves only when the test moves it, because the machine may be busy.
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const whatever = async () => {
      for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    const ask = () => {
      const asked: { status?: number | undefined } = {};
      void call(allocateDevice(waiting), { body: request() }).then(({ status }) => {
        asked.status = status;
      });
      return asked;
    };
    try {
      const first = ask();
      await whatever();
      expect(first.status).toBeUndefined();
      await jest.advanceTimersByTimeAsync(1_550);
      await whatever();
      expect(first.status).toBe(200);

      const later = [ask(), ask(), ask()];
      await whatever();
      expect(later).toEqual([{ status: 200 }, { status: 200 }, { status: 200 }]);
      expect(sockets.length).toBeGreaterThan(0);
    } finally {
      jest.useRealTimers();
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  test('answers 503 and not 500 for a defect, without its details', async () => {
    const broken = instanceOf();
    Object.defineProperty(broken, 'conditions', {
      get() {
        throw new TypeError('secret detail');
      },
    });

    const { status, text, lines } = await call(allocateDevice(broken), { body: request() });

    expect(status).toBe(503);
    expect(text).toContain('BERTH_DEFECT');
    expect(text).not.toContain('secret detail');
    expect(lines.join()).toContain('secret detail');
  });
});

test('explainAllocation answers the receipt of the decision that allocateDevice would make and stores nothing', async () => {
  const body = request({ registrationId: 'explain-1', payload: { site: 'ams' } });
  const decided = await call(allocateDevice(instance), { body });
  const explained = await call(explainAllocation(instance), {
    body: request({ registrationId: 'explain-2' }),
  });
  const same = await call(explainAllocation(instance), { body });
  await instance.receipts.flush();

  expect(same.body.result).toMatchObject({ hub: decided.body.iotHubHostName });
  expect(explained.status).toBe(200);
  expect(await instance.stores.receipts.list('explain-2')).toEqual([]);
});

describe('health', () => {
  test('is ready with a valid fleet file and gives no other details', async () => {
    expect(await call(health(instance))).toMatchObject({ status: 200, text: '{"ready":true}' });
  });

  test('is not ready with an invalid fleet file', async () => {
    expect(await call(health(instanceOf('{')))).toMatchObject({ status: 503, text: '{"ready":false}' });
  });
});

describe('fleetStatus and device', () => {
  const WEU = hostName('weu.azure-devices.net');
  const put = async (deviceId: string, state: TwinStatus, why = '') => {
    const id = { host: WEU, deviceId, moduleId: undefined };
    const record = await instance.stores.twins.load(id);
    const snapshot = snapshotOf({
      id,
      desired: { interval: 7 },
      reported: { interval: 7 },
      lastReconcile: { status: state, since: T0, why, revision: 'r', policies: {}, isHeld: false },
      workItem: { priority: 'drift', at: T0, why: 'test', tries: 2 },
    });
    await instance.stores.twins.save(record, { kind: 'snapshot', snapshot });
  };
  beforeAll(async () => {
    for (let index = 0; index < 7; index += 1)
      await put(`rejected-${index}`, 'rejected', 'interval the device answered 400');
    await put('fine-1', 'inSync');
    await call(allocateDevice(instance), { body: request() });
    await instance.receipts.flush();
    await instance.stores.conditions.recordCount(WEU, 30, plus(T0, -5_000));
    await instance.stores.conditions.recordCount(hostName('eus.azure-devices.net'), 10, T0);
    await countAll(
      instance.stores,
      FLEET.hubs.map(({ host }) => hostName(host)),
      T0,
    );
  });

  test('show hubs, shares next to weights, and twin statuses with the time of the count', async () => {
    const { status, body } = await call(fleetStatus(instance));

    expect(status).toBe(200);
    expect(body).toMatchObject({
      writes: 'on',
      problems: [],
      twins: { inSync: 1, rejected: 7, pending: 0, drifted: 0, contested: 0, suspended: 0, unknown: 0 },
      hubs: [
        {
          host: WEU,
          weight: 1,
          share: { wanted: 1 / 6, actual: 0.75, expected: expect.any(Number), spread: expect.any(Number) },
          devices: 30,
          countedAt: new Date(plus(T0, -5_000)).toISOString(),
          twins: { rejected: 7 },
          twinsCountedAt: new Date(T0).toISOString(),
        },
        { devices: 10, share: { actual: 0.25 } },
        { devices: null, countedAt: null },
      ],
    });
  });

  test('show no expected shares before a device has registered, and none for more devices than the limit', async () => {
    const expectedBy = async (each: Instance) => {
      const { body } = await call(fleetStatus(each));
      const { hubs } = body as { readonly hubs: readonly { readonly share: object }[] };
      return hubs.map(({ share }) => share);
    };
    const many = instanceOf();
    many.stores.receipts.newest = async () => undefined;
    const none = instanceOf();
    none.stores.receipts.newest = async () => [];

    for (const each of [many, none]) {
      expect(await expectedBy(each)).toMatchObject(FLEET.hubs.map(() => ({ expected: null, spread: null })));
    }
  });

  test('show the number of dead letters of the last days', async () => {
    const now = instance.now();
    const enqueuedAt = (days: number) => new Date(now - days * 86_400_000).toISOString();
    for (const [sequenceNumber, days] of [0, 6.5, 20].entries()) {
      await instance.stores.deadLetters.keep(letterOf({ sequenceNumber, enqueuedAt: enqueuedAt(days) }));
    }

    const { body } = await call(fleetStatus(instance));

    expect(body.deadLetters).toEqual({ since: enqueuedAt(7).slice(0, 10), count: 2, more: false });
  });

  test('show the number of events that are only counted, by hub, source and code, with the largest numbers first', async () => {
    const { letterHours, unknownSources, unknownHubs } = instance.stores;
    const now = instance.now();
    const beyond = { hub: 'weu', source: '(none)', code: 'BERTH_EVENT_NO_IDENTITY' };
    await letterHours.addBeyond([{ ...beyond, events: 5 }], '0', now);
    await letterHours.addBeyond([{ ...beyond, events: 7 }], '1', now);
    await letterHours.addBeyond([{ ...beyond, events: 99 }], '1', plus(now, -8 * 86_400_000));
    await unknownSources.add([{ hub: 'weu', source: 'moonevents', events: 3 }], { now });
    await unknownHubs.addAll(
      new Map(Array.from({ length: 300 }, (_, index) => [`far-${index}`, 1])),
      '0',
      now,
    );

    const { body } = await call(fleetStatus(instance));

    const lastAt = new Date(now).toISOString();
    expect(body.onlyCounted).toEqual({ events: 12, counts: [{ ...beyond, events: 12, lastAt }] });
    expect(body.unknownSources).toEqual([{ hub: 'weu', source: 'moonevents', events: 3, lastAt }]);
    expect(body.unknownHubs).toHaveLength(100);
    expect((body.unknownHubs as readonly unknown[])[0]).toMatchObject({ hubName: '(others)', events: 200 });
  });

  test('list all devices that need attention, page by page, without a gap', async () => {
    const seen: unknown[] = [];
    let after: string | null = null;
    let pages = 0;
    do {
      const query: Record<string, string> = after === null ? { top: '3' } : { top: '3', after };
      const { body } = await call(fleetStatus(instance), { query });
      const page = body.attention as { items: { deviceId: string }[]; next: string | null };
      seen.push(...page.items.map(({ deviceId }) => deviceId));
      after = page.next;
      pages += 1;
    } while (after !== null && pages < 20);

    expect(seen.sort()).toEqual(Array.from({ length: 7 }, (_, index) => `rejected-${index}`));
    expect(pages).toBeGreaterThanOrEqual(3);
  });

  test.each([
    { top: '0' },
    { top: 'x' },
    { top: '1001' },
    { after: 'nonsense' },
    { after: Buffer.from('-1/x').toString('base64url') },
  ])('refuse the page %j', async (query) => {
    const { status, body } = await call(fleetStatus(instance), { query });

    expect([status, body.error?.code]).toEqual([400, 'BERTH_REQUEST_INVALID']);
  });

  test('show the hub, the status of each property and the next step of one device', async () => {
    const { body } = await call(device(instance), { params: { deviceId: 'rejected-3' } });

    expect(body).toMatchObject({
      deviceId: 'rejected-3',
      twins: [
        {
          hub: WEU,
          status: 'rejected',
          why: 'interval the device answered 400',
          workItem: { why: 'test', tries: 2, at: new Date(T0).toISOString() },
          paths: [
            { path: 'interval', policy: 'interval', wanted: 5, desired: 7, reported: 7, status: 'drifted' },
          ],
        },
      ],
    });
  });

  test('show the decisions about a device that has no twin yet', async () => {
    await call(allocateDevice(instance), { body: request({ registrationId: 'only-receipt' }) });
    await instance.receipts.flush();

    const { body } = await call(device(instance), { params: { deviceId: 'only-receipt' } });

    expect(body).toMatchObject({ twins: [], receipts: [{ result: { kind: 'assigned' } }] });
  });

  test('show the decisions for a registration id whose individual enrollment sets another device id', async () => {
    await call(allocateDevice(instance), { body: request({ registrationId: 'chip-7' }) });
    await instance.receipts.flush();

    const { body } = await call(device(instance), {
      params: { deviceId: 'rejected-3' },
      query: { registrationId: 'chip-7' },
    });

    expect(body).toMatchObject({
      deviceId: 'rejected-3',
      twins: [{ hub: WEU }],
      receipts: [{ inputs: { registrationId: 'chip-7' } }],
    });
  });

  test('answer 404 for an unknown device', async () => {
    const { status, body } = await call(device(instance), { params: { deviceId: 'nobody' } });

    expect([status, body.error?.code]).toEqual([404, 'BERTH_DEVICE_UNKNOWN']);
  });
});
