import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type {
  AttentionPage,
  DeadLetterAnswer,
  DeadLetterList,
  DeviceHistory,
  DevicePage,
  QueuePage,
  Series,
} from '../../src/api/contract.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { attention } from '../../src/functions/attention.ts';
import { deadLetter, deadLetters } from '../../src/functions/dead-letters.ts';
import { device } from '../../src/functions/device.ts';
import { deviceHistory } from '../../src/functions/device-history.ts';
import { devices } from '../../src/functions/devices.ts';
import { explainAllocation } from '../../src/functions/explain-allocation.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import { health } from '../../src/functions/health.ts';
import type { HttpHandler } from '../../src/functions/http-answer.ts';
import { queue } from '../../src/functions/queue.ts';
import { series } from '../../src/functions/series.ts';
import { Instance } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { noCounts } from '../../src/metrics/sync-counters.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { Snapshot, TwinStatus, WorkPriority } from '../../src/twin/snapshot/snapshot.ts';
import { CAPTURED, HOSTS } from '../allocation/requests.ts';
import { letterOf } from '../store/letters.ts';
import { type Answer, type CallParts, call } from '../support/http-call.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { at, snapshotOf, T0 } from '../twin/twins.ts';

const [WEU, EUS] = [hostName('weu.azure-devices.net'), hostName('eus.azure-devices.net')];
const FLEET = {
  hubs: ['weu', 'eus', 'sea'].map((name) => ({
    host: `${name}.azure-devices.net`,
    region: 'westeurope',
    tier: 'S1',
  })),
  twins: {
    redact: ['password'],
    policies: [
      { name: 'interval', desired: { interval: 5 } },
      { name: 'colour', desired: { colour: 'red' } },
    ],
  },
};

let instance: Instance;
const HANDLERS: Readonly<Record<string, (instance: Instance) => HttpHandler>> = {
  allocateDevice,
  explainAllocation,
  fleetStatus,
  attention,
  queue,
  devices,
  device,
  deviceHistory,
  deadLetters,
  deadLetter,
  series,
  health,
};

/** Calls a function, and checks that the contract allows its answer. */
async function ask(name: string, parts: CallParts = {}): Promise<Answer> {
  const handler = HANDLERS[name];
  const route = ROUTES.find((each) => each.name === name);
  if (handler === undefined || route === undefined) throw new Error(`no function ${name}`);
  const answer = await call(handler(instance), parts);
  if (answer.status === 304) return answer;
  const schema = route.answers[answer.status ?? 0];
  expect([answer.status, schema?.safeParse(answer.body).error]).toEqual([answer.status, undefined]);
  return answer;
}

async function bodyOf<Body>(name: string, query: Record<string, string> = {}): Promise<Body> {
  const { status, body } = await ask(name, { query });
  expect([status, body.error]).toEqual([200, undefined]);
  return body as unknown as Body;
}

/** Every page of a list, from the first to the last. */
async function pagesOf<Item>(name: string, query: Record<string, string>): Promise<readonly Item[][]> {
  const pages: Item[][] = [];
  let next: string | null = null;
  do {
    const cursor: Record<string, string> = next === null ? {} : { after: next };
    const page: { items: Item[]; next: string | null } = await bodyOf(name, { ...query, ...cursor });
    pages.push(page.items);
    next = page.next;
  } while (next !== null && pages.length < 100);
  return pages;
}

async function put(
  deviceId: string,
  status: TwinStatus,
  { host = WEU, ...parts }: Partial<Snapshot> & { readonly host?: typeof WEU } = {},
): Promise<void> {
  const id = { host, deviceId, moduleId: undefined };
  const record = await instance.stores.twins.load(id);
  const [interval] = instance.fleet.current().twins.policies;
  const snapshot = snapshotOf({
    id,
    desired: { interval: 7 },
    reported: { interval: 7 },
    lastReconcile: {
      status,
      since: T0,
      why: status === 'inSync' ? '' : 'interval differs',
      revision: 'r',
      policies: { [interval?.id ?? '']: 'drifted', gone: 'inSync' },
      isHeld: false,
    },
    ...parts,
  });
  await instance.stores.twins.save(record, { kind: 'snapshot', snapshot });
}

const work = (priority: WorkPriority, minutes: number) => ({
  workItem: { priority, at: plus(T0, minutes * 60_000), why: `${priority} at ${minutes}`, tries: 1 },
});

beforeAll(async () => {
  const directory = temporaryFolder('app');
  writeFileSync(join(directory, 'fleet.json'), JSON.stringify(FLEET));
  instance = new Instance({
    env: { AzureWebJobsStorage: await storageAccount() },
    directory,
    build: '2026-11-23T00:00:00Z',
    now: () => T0,
    log: () => {},
  });
  await put('pump-1', 'inSync');
  await put('pump-2', 'drifted', work('drift', -5));
  await put('pump-3', 'drifted', work('edit', 10));
  await put('pump#4', 'rejected', { host: EUS, ...work('drift', -9) });
  await put('valve', 'inSync', { host: EUS, ...work('activity', 1) });
  await put('secret', 'rejected', {
    lastReconcile: {
      status: 'rejected',
      since: T0,
      why: 'password "hunter2" is refused',
      revision: 'r',
      policies: {},
      isHeld: false,
    },
    workItem: { priority: 'resync', at: T0, why: 'password "hunter2" is refused', tries: 0 },
  });
});
afterAll(() => instance.stop());

describe('the contract and the answers of the functions', () => {
  const request = { ...CAPTURED, linkedHubs: HOSTS };

  test('are equal for registrations, refused ones too', async () => {
    const denied = { ...request, linkedHubs: ['evil.example.com'] };

    expect((await ask('allocateDevice', { body: request })).status).toBe(200);
    expect((await ask('explainAllocation', { body: request })).status).toBe(200);
    expect((await ask('allocateDevice', { body: denied })).status).toBe(400);
    expect((await ask('explainAllocation', { body: denied })).status).toBe(200);
  });

  test('are equal for the fleet with pauses, overrides, twins and dead letters', async () => {
    const { control, conditions, deadLetters: letters } = instance.stores;
    const pause = { author: 'ann', reason: 'test', at: T0 };
    await control.update((row) => ({
      ...row,
      fleet: pause,
      hubs: { [WEU]: pause },
      policies: { colour: pause },
    }));
    await conditions.setOverrides(EUS, {
      state: { value: 'draining', author: 'ann', reason: 'test', expiresAt: plus(T0, 60_000) },
      weight: { value: 2, author: 'ann', reason: 'test', expiresAt: plus(T0, 60_000) },
    });
    await conditions.recordCount(WEU, 3, T0);
    await letters.keep(letterOf({ enqueuedAt: '2026-11-22T12:00:00.000Z' }));

    const body = await bodyOf<{ writes: string }>('fleetStatus');

    expect(body.writes).toBe('paused');
    await control.update((row) => ({ ...row, fleet: undefined, hubs: {}, policies: {} }));
    await conditions.clearOverrides(EUS);
  });

  test('are equal for a device, a device that only registered, and an unknown one', async () => {
    await ask('allocateDevice', { body: request });
    await instance.receipts.flush();

    for (const [deviceId, status] of [
      ['pump-2', 200],
      [CAPTURED.deviceRuntimeContext.registrationId, 200],
      ['nobody', 404],
    ] as const) {
      expect((await ask('device', { params: { deviceId } })).status).toBe(status);
      expect((await ask('deviceHistory', { params: { deviceId } })).status).toBe(status);
    }
    expect((await ask('health')).status).toBe(200);
  });
});

describe('an answer of a list or a page', () => {
  test.each(['fleetStatus', 'attention', 'queue', 'devices', 'deadLetters', 'series'])(
    'of %s has an ETag, and is answered with 304 and no body while it stays the same',
    async (name) => {
      const { headers, status } = await ask(name);
      const again = await ask(name, { headers: { 'if-none-match': headers.etag ?? '' } });

      expect([status, again.status, again.text]).toEqual([200, 304, '']);
      expect(again.headers.etag).toBe(headers.etag);
      expect((await ask(name, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    },
  );

  test('of a device changes its ETag with the device', async () => {
    await put('changing', 'inSync');
    const before = await ask('device', { params: { deviceId: 'changing' } });
    await put('changing', 'suspended');

    const after = await ask('device', {
      params: { deviceId: 'changing' },
      headers: { 'if-none-match': before.headers.etag ?? '' },
    });

    expect(after.status).toBe(200);
    await put('changing', 'inSync');
  });

  test.each([
    ['attention', { after: 'nonsense' }],
    ['queue', { after: Buffer.from(`${WEU}|00/s|pump-1`).toString('base64url') }],
    ['devices', { after: Buffer.from(`${WEU}|00/att|x`).toString('base64url') }],
    ['devices', { after: Buffer.from('sea.azure-devices.net|99/s|x').toString('base64url') }],
    ['devices', { hub: 'weu.azure-devices.net', after: Buffer.from(`${EUS}|00/s|x`).toString('base64url') }],
    ['devices', { hub: 'nowhere.azure-devices.net' }],
    ['devices', { hub: 'not a host name' }],
    ['devices', { policy: 'gone' }],
    ['queue', { hub: 'nowhere.azure-devices.net' }],
    ['deadLetters', { errorCode: 'BERTH_UNHEARD_OF' }],
    ['series', { from: '2026-11-23T13:00Z', to: '2026-11-23T12:00Z' }],
  ])('of %s is refused for the query %j', async (name, query) => {
    const { status, body } = await ask(name, { query });

    expect([status, body.error?.code]).toEqual([400, 'BERTH_REQUEST_INVALID']);
  });
});

describe('GET /api/devices', () => {
  test('lists every stored twin once over all pages, with its status and its policies by name', async () => {
    const pages = await pagesOf<DevicePage['items'][number]>('devices', { top: '2' });

    const items = pages.flat();
    expect(items.map(({ deviceId }) => deviceId).sort()).toEqual(
      ['pump-1', 'pump-2', 'pump-3', 'pump#4', 'valve', 'secret', 'changing'].sort(),
    );
    expect(items.find(({ deviceId }) => deviceId === 'pump#4')).toEqual({
      hub: EUS,
      deviceId: 'pump#4',
      moduleId: null,
      status: 'rejected',
      policies: { interval: 'drifted' },
    });
  });

  test.each<[JsonObject, readonly string[]]>([
    [{ hub: 'EUS.azure-devices.net' }, ['pump#4', 'valve']],
    [{ hub: 'eus.service.azure-devices.net' }, ['pump#4', 'valve']],
    [{ status: 'drifted' }, ['pump-2', 'pump-3']],
    [{ status: 'notInSync', prefix: 'pump' }, ['pump#4', 'pump-2', 'pump-3']],
    [{ prefix: 'pump' }, ['pump#4', 'pump-1', 'pump-2', 'pump-3']],
    [{ prefix: 'pump-1' }, ['pump-1']],
    [{ prefix: 'pump#' }, ['pump#4']],
    [{ prefix: 'zzz' }, []],
    [{ policy: 'colour' }, []],
    [{ policy: 'interval', status: 'inSync', hub: EUS }, ['valve']],
  ])('lists only the twins that match %j', async (query, ids) => {
    const pages = await pagesOf<DevicePage['items'][number]>('devices', {
      ...(query as Record<string, string>),
      top: '1',
    });

    expect(
      pages
        .flat()
        .map(({ deviceId }) => deviceId)
        .sort(),
    ).toEqual([...ids].sort());
  });

  test('leaves out deleted twins', async () => {
    await put('short-lived', 'inSync');
    const id = { host: WEU, deviceId: 'short-lived', moduleId: undefined };
    const record = await instance.stores.twins.load(id);
    await instance.stores.twins.save(record, { kind: 'deleted', at: at(0) });

    const { items } = await bodyOf<DevicePage>('devices', { prefix: 'short' });

    expect(items).toEqual([]);
  });
});

describe('GET /api/queue', () => {
  test('lists work items of all hubs by priority and time, with the reason and whether they are due', async () => {
    const { items, next } = await bodyOf<QueuePage>('queue');

    expect(next).toBeNull();
    expect(items.map(({ deviceId, priority, due, why }) => [deviceId, priority, due, why])).toEqual([
      ['pump-3', 'edit', false, 'edit at 10'],
      ['pump#4', 'drift', true, 'drift at -9'],
      ['pump-2', 'drift', true, 'drift at -5'],
      ['secret', 'resync', true, 'password is redacted now'],
      ['valve', 'activity', false, 'activity at 1'],
    ]);
    expect(items[0]).toMatchObject({ hub: WEU, at: new Date(T0 + 600_000).toISOString() });
  });

  test.each(['1', '2', '3', '5'])('has the same items over pages of %s', async (top) => {
    const pages = await pagesOf<QueuePage['items'][number]>('queue', { top });

    expect(pages.flat().map(({ deviceId }) => deviceId)).toEqual([
      'pump-3',
      'pump#4',
      'pump-2',
      'secret',
      'valve',
    ]);
  });

  test('has each item once if twins of several partitions have the same id and time', async () => {
    for (const host of [WEU, EUS]) await put('twice', 'drifted', { host, ...work('edit', 20) });

    const pages = await pagesOf<QueuePage['items'][number]>('queue', { top: '1' });

    const hubs = pages.flat().filter(({ deviceId }) => deviceId === 'twice');
    expect(hubs.map(({ hub }) => hub).sort()).toEqual([EUS, WEU]);
  });
});

test('GET /api/attention lists one hub, and not the value of a path that is redacted now', async () => {
  const { items } = await bodyOf<AttentionPage>('attention', { hub: WEU });

  expect(items.every(({ hub }) => hub === WEU)).toBe(true);
  expect(items.find(({ deviceId }) => deviceId === 'secret')).toMatchObject({
    status: 'rejected',
    why: 'password is redacted now',
  });
  expect(JSON.stringify(await bodyOf('fleetStatus'))).not.toContain('hunter2');
});

describe('GET /api/devices/{deviceId}/history', () => {
  test('lists decisions, writes, changes by others and reports, the newest first', async () => {
    const history = {
      ours: 1,
      oursAt: undefined,
      reportedAt: at(50),
      changedAt: undefined,
      before: undefined,
      writes: [{ policy: 'h', by: 'interval', value: 5, at: at(40), count: 2 }],
      foreign: [at(30)],
      configuration: undefined,
      contestedUntil: undefined,
      rejected: [],
    };
    await put('storied', 'inSync', { bornAt: at(10), paths: { interval: history } });

    const { body } = await ask('deviceHistory', { params: { deviceId: 'storied' } });

    const { items, more } = body as unknown as DeviceHistory;
    expect(more).toBe(0);
    expect(items.filter(({ kind }) => kind !== 'status')).toEqual([
      { kind: 'report', hub: WEU, moduleId: null, at: at(50), path: 'interval' },
      {
        kind: 'write',
        hub: WEU,
        moduleId: null,
        at: at(40),
        path: 'interval',
        policy: 'interval',
        value: 5,
        count: 2,
      },
      { kind: 'change', hub: WEU, moduleId: null, at: at(30), path: 'interval' },
      { kind: 'seen', hub: WEU, moduleId: null, at: at(10) },
    ]);
  });
});

describe('GET /api/dead-letters', () => {
  const enqueuedAt = (minutes: number) => new Date(T0 - minutes * 60_000).toISOString();
  beforeAll(async () => {
    for (let index = 0; index < 5; index += 1) {
      await instance.stores.deadLetters.keep(
        letterOf({ sequenceNumber: index, enqueuedAt: enqueuedAt(10 * index), partition: '7' }),
      );
    }
    await instance.stores.letterHours.addBeyond(
      [{ hub: 'weu', source: 's', code: 'BERTH_EVENT_INVALID', events: 4 }],
      '7',
      T0,
    );
  });

  test('lists the newest first, and says how many older ones there are and how many are only counted', async () => {
    const list = await bodyOf<DeadLetterList>('deadLetters', { top: '2', hub: 'weu.azure-devices.net' });

    expect(list).toMatchObject({ more: expect.any(Number), isCounted: true, onlyCounted: 4 });
    expect(list.letters.map(({ enqueuedAt: time }) => time)).toEqual([enqueuedAt(0), enqueuedAt(10)]);
    expect(list.more).toBeGreaterThanOrEqual(3);
    expect(list.letters[0]).toMatchObject({
      code: 'BERTH_EVENT_NOT_JSON',
      hub: 'weu',
      deviceId: 'pump-1',
      moduleId: null,
    });
  });

  test.each([
    [{ since: enqueuedAt(25), until: enqueuedAt(5) }, [enqueuedAt(10), enqueuedAt(20)]],
    [{ errorCode: 'BERTH_EVENT_INVALID' }, []],
    [{ hub: 'elsewhere' }, []],
  ])('lists only the letters that match %j', async (query, times) => {
    const { letters } = await bodyOf<DeadLetterList>('deadLetters', query);

    expect(letters.map(({ enqueuedAt: time }) => time)).toEqual(times);
  });

  test('shows the contents of one by the parts of its id', async () => {
    await instance.stores.deadLetters.keep(
      letterOf({ sequenceNumber: 99, body: Buffer.from([0xff, 0x00]), isRedacted: true }),
    );
    const { letters } = await bodyOf<DeadLetterList>('deadLetters');
    const shown = await Promise.all(
      letters.map(async ({ id }) => {
        const [day = '', partition = '', number = '', digest = ''] = id.split('/');
        const { body } = await ask('deadLetter', { params: { day, partition, number, digest } });
        return body as unknown as DeadLetterAnswer;
      }),
    );

    expect(shown.find(({ sequenceNumber }) => sequenceNumber === 99)).toMatchObject({
      isRedacted: true,
      body: { bytes: 2, base64: '/wA=' },
    });
    expect(shown.find(({ sequenceNumber }) => sequenceNumber === 0)).toMatchObject({
      isRedacted: false,
      properties: { hubName: 'weu' },
      body: { bytes: 8, text: 'not json' },
    });
  });

  test.each([
    [
      { day: '2026-11-23', partition: '7', number: '4711', digest: '00000000' },
      404,
      'BERTH_DEAD_LETTER_UNKNOWN',
    ],
    [{ day: 'today', partition: '7', number: '1', digest: 'x' }, 400, 'BERTH_REQUEST_INVALID'],
  ])('answers an error for the id %j', async (params, status, code) => {
    const answer = await ask('deadLetter', { params });

    expect([answer.status, answer.body.error?.code]).toEqual([status, code]);
  });
});

describe('GET /api/series', () => {
  const MINUTE = 60_000;
  const NO_TWINS = { inSync: 0, pending: 0, drifted: 0, rejected: 0, contested: 0, suspended: 0, unknown: 0 };
  const HOUR = 60 * MINUTE;
  /** All events come before noon, which is when the last run is. */
  const record = (minutes: number, merged: number, inSync: number) => {
    const counts = { [WEU]: { ...noCounts(), merged, lagMs: merged * 20 } };
    const sums = [-2, -1, 0]
      .map((hours) => plus(T0, hours * HOUR))
      .map((hour) => ({
        hour,
        hubs: hour === T0 - HOUR ? counts : {},
      }));
    return instance.stores.series.record({
      now: plus(T0, minutes * MINUTE),
      counted: { [WEU]: { twins: { ...NO_TWINS, inSync }, edge: { running: inSync - 1, offline: 1 } } },
      sums: minutes < 0 ? sums.slice(0, 2) : sums.slice(1),
    });
  };

  test('answers what was recorded, by hub, with null where nothing is known', async () => {
    await record(-2, 10, 1);
    await record(-1, 14, 2);
    await record(-0.5, 15, 3);
    await record(0, 15, 4);

    const {
      at: times,
      hubs,
      ...rest
    } = await bodyOf<Series>('series', {
      from: new Date(T0 - 10 * MINUTE).toISOString(),
    });

    expect(rest).toMatchObject({ step: 'minute', from: new Date(T0 - 10 * MINUTE).toISOString() });
    expect(times).toEqual([2, 1, 0].map((minutes) => new Date(T0 - minutes * MINUTE).toISOString()));
    expect(hubs.map(({ host }) => host)).toEqual([WEU, EUS, hostName('sea.azure-devices.net')]);
    expect(hubs[0]).toMatchObject({
      twins: { inSync: [1, 3, 4], rejected: [0, 0, 0] },
      edge: { running: [0, 2, 3], offline: [1, 1, 1], contested: [0, 0, 0] },
      events: [10, 5, 0],
      lagMs: [20, 20, null],
    });
    expect(hubs[1]).toMatchObject({
      twins: { inSync: [null, null, null] },
      edge: null,
      events: [null, null, null],
    });
  });

  test('answers one hub, and hours', async () => {
    const { hubs, step, at: times } = await bodyOf<Series>('series', { step: 'hour', hub: WEU });

    expect([step, hubs.map(({ host }) => host)]).toEqual(['hour', [WEU]]);
    expect(times.length).toBeGreaterThan(0);
  });

  test('answers no more than what is kept, whatever is asked for', async () => {
    const { from, at: times } = await bodyOf<Series>('series', { from: '2000-01-01', to: '2100-01-01' });

    expect(Date.parse(from)).toBeGreaterThan(T0 - 25 * 3_600_000);
    expect(times.length).toBeGreaterThan(0);
  });
});
