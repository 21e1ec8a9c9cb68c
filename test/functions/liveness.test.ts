import { afterEach, describe, expect, test } from '@jest/globals';
import type { HubEvent } from '../../local/iot-hub/index.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import { healthDetail } from '../../src/functions/health-detail.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { auditName } from '../../src/sync/resync/audit-progress.ts';
import { FunctionApp, type FunctionAppOptions, type Line } from '../support/function-app.ts';
import { call } from '../support/http-call.ts';

/*
 * Each way in which the events of a hub can end, on the real functions, the real tables and a local hub. The clock of the hub is
 * that of the test, so hours take no time.
 */

const MINUTE_MS = 60_000;
const HEARTBEAT = 'berth-heartbeat';

let app: FunctionApp;
let instance: Instance;
let lines: Line[];
afterEach(() => app.close());
const open = async (options: FunctionAppOptions = {}) => {
  app = await FunctionApp.open({ isOneClock: true, ...options });
  instance = app.instance();
  lines = [];
};

/** What the routes of the hub let through. */
type Route = (event: HubEvent) => boolean;
const EVERYTHING: Route = () => true;
const NOTHING: Route = () => false;

/**
 * Time of the app: after each step, `resyncFleet` runs, and the functions read what the route lets through. The real timer runs every
 * minute. A run costs real time, so most steps here are longer.
 */
async function minutes(count: number, route: Route = EVERYTHING, step = 5): Promise<void> {
  await deliver(route);
  for (let left = count; left > 0; left -= step) {
    app.pass(Math.min(step, left) * MINUTE_MS);
    lines.push(...(await app.resync(instance)));
    await deliver(route);
  }
}

async function deliver(route: Route): Promise<void> {
  for (let batch = app.take(); batch.length > 0; batch = app.take()) {
    const passed = batch.filter(route);
    if (passed.length > 0) await app.deliver(instance, passed);
  }
}

const prepare = () => app.create(HEARTBEAT, {});
const edit = (deviceId: string, interval: number) =>
  app.hub().edit(deviceId, { properties: { desired: { interval } } }, 'service');
interface Shown {
  readonly state: string;
  readonly since: string;
  readonly why: string;
  readonly heartbeat: { readonly result: string; readonly why: string | null } | null;
  readonly unchecked: { readonly twins: number; readonly of: number; readonly waits: string | null } | null;
}
const shown = async (): Promise<Shown> => {
  const { body } = await call(fleetStatus(instance));
  const [hub] = body.hubs as readonly { readonly liveness: Shown }[];
  if (hub === undefined) throw new Error('no hub');
  return hub.liveness;
};
const state = async () => (await shown()).state;
const codes = () =>
  lines.flatMap(({ code, ended }) => [...(code ? [code] : []), ...(ended ? [`-${String(ended)}`] : [])]);
const isOf = (deviceId: string) => (event: HubEvent) => event.partitionKey === deviceId;
const source = ({ annotations }: HubEvent) => annotations['iothub-message-source'];

describe('a hub whose events arrive', () => {
  test('is live after the echo of a correction', async () => {
    await open();
    app.create('pump');
    await minutes(1);

    expect(app.interval('pump')).toBe(5);
    expect(await shown()).toMatchObject({ state: 'live', why: '', echoedAt: expect.any(String) });
    expect(codes()).toEqual([]);
  });

  test('stays live for an hour with a heartbeat every ten minutes, and the heartbeat is no device', async () => {
    await open();
    prepare();
    await minutes(60);

    expect(await shown()).toMatchObject({ state: 'live', heartbeat: { result: 'sent' } });
    expect(app.patches(HEARTBEAT)).toBe(5);
    expect(app.hub().twin(HEARTBEAT)).toMatchObject({
      tags: { berthHeartbeat: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    const { body } = await call(fleetStatus(instance));
    expect(body.hubs).toMatchObject([{ devices: 0 }]);
    expect(body.twins).toMatchObject({ inSync: 0, unknown: 0 });
    expect(await app.known(HEARTBEAT)).toEqual({ kind: 'nothing' });
    expect(codes()).toEqual([]);
  });

  test('says that it has no heartbeat, and how to get one', async () => {
    await open();
    await minutes(30);

    expect(await shown()).toMatchObject({
      state: 'quiet',
      why: expect.stringContaining(
        `no heartbeat: the hub has no identity berth-heartbeat, or it is disabled. Run "berth hub prepare ${app.host}"`,
      ),
      heartbeat: { result: 'missing' },
    });
  });

  test('says that its heartbeat is disabled', async () => {
    await open();
    prepare();
    await app.setStatus(HEARTBEAT, 'disabled');
    await minutes(20);

    expect(await shown()).toMatchObject({
      state: 'quiet',
      why: expect.stringContaining('or it is disabled'),
    });
  });

  test('gets its heartbeat although the fleet is paused', async () => {
    await open();
    prepare();
    await instance.stores.control.update((row) => ({
      ...row,
      fleet: { author: 'ann', reason: 'test', at: app.now },
    }));
    await minutes(25);

    expect(app.patches(HEARTBEAT)).toBe(2);
    expect(await state()).toBe('live');
  });
});

describe('a deleted route', () => {
  test('makes the hub silent within minutes, and the hub is live again with the first event after the repair', async () => {
    await open();
    prepare();
    app.create('pump', { interval: 5 });
    await minutes(20);
    expect(await state()).toBe('live');

    await minutes(25, NOTHING);

    expect(await shown()).toMatchObject({
      state: 'silent',
      why: expect.stringMatching(/\d heartbeats? since/),
    });
    expect(codes()).toEqual(['BERTH_HUB_SILENT']);
    await minutes(15);
    expect(await state()).toBe('live');
    expect(codes()).toEqual(['BERTH_HUB_SILENT', '-BERTH_HUB_SILENT']);
  });

  test('is noticed at a correction that has no echo, without any heartbeat', async () => {
    await open();
    app.create('pump', { interval: 5 });
    await minutes(1);
    edit('pump', 99);
    await app.deliver(instance);
    expect(app.interval('pump')).toBe(5);
    app.take();

    await minutes(9, NOTHING);
    expect(await state()).toBe('live');
    await minutes(5, NOTHING);

    expect(await shown()).toMatchObject({ state: 'silent', why: expect.stringContaining('1 correction') });
  });

  test('of twin changes is not hidden by lifecycle events', async () => {
    await open();
    prepare();
    app.create('pump', { interval: 5 });
    await minutes(10);
    for (let times = 0; times < 5; times += 1) {
      app.create(`new-${times}`, { interval: 5 });
      await minutes(5, (event) => source(event) === 'deviceLifecycleEvents');
    }

    expect(await state()).toBe('silent');
  });

  test('leaves a wrong twin wrong for less than an hour, and no twin is wrong after the repair', async () => {
    await open();
    prepare();
    for (const name of ['a', 'b', 'c']) app.create(name, { interval: 5 });
    await minutes(10);
    edit('a', 99);
    const since = app.now;
    while (app.interval('a') !== 5 && app.now - since < 3 * 60 * MINUTE_MS) await minutes(5, NOTHING);
    expect(app.now - since).toBeLessThan(60 * MINUTE_MS);

    // Just before the repair.
    edit('b', 98);
    app.create('missed', { interval: 97 });
    await minutes(1, NOTHING);
    await minutes(15);

    expect(['a', 'b', 'c', 'missed'].map((name) => app.interval(name))).toEqual([5, 5, 5, 5]);
    expect(await state()).toBe('live');
  });

  test('shows what is unchecked when the budget of the day is spent', async () => {
    await open({ hubs: [{ tier: 'F1', units: 1 }] });
    for (const name of ['a', 'b', 'c']) app.create(name, { interval: 5 });
    await minutes(1);
    edit('a', 99);
    await app.deliver(instance);
    app.take();
    // The next day may begin during these minutes.
    for (const time of [app.now, app.now + 24 * 60 * MINUTE_MS]) {
      const day = new Date(time).toISOString().slice(0, 10);
      await instance.stores.budgets.reserve({ day, host: app.host, share: 'resync' }, 10_000, 10_000);
    }
    await minutes(15, NOTHING);

    expect(await shown()).toMatchObject({
      state: 'silent',
      unchecked: { twins: 3, of: 3, waits: 'the budget of messages a day is used up' },
    });
  });
});

describe('a route with a filter', () => {
  test('that drops the events of corrections makes the hub silent although reports arrive', async () => {
    await open();
    app.create('pump', { interval: 5 });
    await minutes(1);
    edit('pump', 99);
    await app.deliver(instance);
    app.take();
    const isNoCorrection: Route = ({ body }) => !body.toString().includes('desired');
    for (let times = 0; times < 3; times += 1) {
      app.hub().edit('pump', { tags: { times } }, 'service');
      await minutes(5, isNoCorrection);
    }

    expect(await shown()).toMatchObject({
      state: 'silent',
      why: expect.stringContaining('a route filters them'),
    });
  });

  test('that lets only some devices through makes the hub silent', async () => {
    await open();
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) app.create(name, { interval: 5 });
    await minutes(1);
    for (const name of names) edit(name, 99);
    await app.deliver(instance);
    await minutes(15, (event) => !isOf('a')(event) && !isOf('b')(event));

    expect(await shown()).toMatchObject({ state: 'silent', why: expect.stringContaining('2 corrections') });
  });
});

describe('a stopped trigger', () => {
  const waiting = (last: number, checkpoint: number) => {
    app.look = { kind: 'positions', partitions: new Map([['0', { last, isEmpty: false, checkpoint }]]) };
  };

  test('makes every hub late and is an alarm of its own, and no audit starts', async () => {
    await open({ hubs: [{}, {}] });
    app.create('pump');
    await minutes(2, EVERYTHING, 1);
    const audit = () => instance.stores.progress.read(auditName(app.host));
    const before = await audit();
    waiting(7, 5);
    await minutes(5, NOTHING);
    expect(await state()).toBe('live');
    await minutes(10, NOTHING);

    expect(await shown()).toMatchObject({ state: 'late', why: expect.stringContaining('partition 0') });
    expect(codes().sort()).toEqual(['BERTH_HUB_LATE', 'BERTH_HUB_LATE', 'BERTH_TRIGGER_STOPPED']);
    expect(await audit()).toEqual(before);
    waiting(7, 7);
    await minutes(1);
    expect(
      codes()
        .filter((code) => code.startsWith('-'))
        .sort(),
    ).toEqual(['-BERTH_HUB_LATE', '-BERTH_HUB_LATE', '-BERTH_TRIGGER_STOPPED']);
  });

  test('is not taken for a silent hub: a correction without an echo may still be unread', async () => {
    await open();
    app.create('pump', { interval: 5 });
    await minutes(1);
    edit('pump', 99);
    await app.deliver(instance);
    app.take();
    waiting(7, 5);
    await minutes(15, NOTHING);

    expect(await state()).toBe('late');
  });

  test('and a backlog differ: Berth that catches up is late without the alarm', async () => {
    await open();
    await minutes(1);
    for (let minute = 0; minute < 20; minute += 5) {
      waiting(1_000 + minute, minute);
      await minutes(5, NOTHING);
    }

    expect(await state()).toBe('late');
    expect(codes()).toEqual(['BERTH_HUB_LATE']);
  });
});

test('checkpoints that cannot be read make every hub late, with an alarm that says why', async () => {
  await open();
  await minutes(1);
  app.look = { kind: 'failed', why: 'the storage of the functions answers 403 for the checkpoints' };
  await minutes(15);

  expect(await shown()).toMatchObject({ state: 'late', why: expect.stringContaining('answers 403') });
  expect(codes()).toEqual(['BERTH_READER_UNKNOWN', 'BERTH_HUB_LATE']);
});

test('a timer that has stopped makes every hub late when anyone asks', async () => {
  await open();
  app.create('pump', { interval: 5 });
  await minutes(1);
  app.pass(6 * MINUTE_MS);

  expect(await shown()).toMatchObject({
    state: 'late',
    why: expect.stringContaining('resyncFleet has not run since'),
  });
});

test('echoes that other instances see count too', async () => {
  await open();
  app.create('pump', { interval: 5 });
  await minutes(1);
  const other = app.instance();
  edit('pump', 99);
  await app.deliver(instance);
  await app.deliver(other);
  await other.storeEvidence();
  await minutes(15, NOTHING);

  expect(await state()).toBe('live');
});

test('an echo that comes twice counts once', async () => {
  await open();
  for (const name of ['a', 'b']) app.create(name, { interval: 5 });
  await minutes(1);
  for (const name of ['a', 'b']) edit(name, 99);
  await app.deliver(instance);
  const echoes = app.take().filter(isOf('a'));
  for (let times = 0; times < 3; times += 1) await app.deliver(instance, echoes);
  await minutes(15, NOTHING);

  expect(await shown()).toMatchObject({ state: 'silent', why: expect.stringContaining('1 correction ') });
});

describe('GET /api/health/detail', () => {
  test('answers 200 with each dependency when nothing is wrong', async () => {
    await open();
    app.create('pump');
    await minutes(1);
    await minutes(1);

    const { status, body } = await call(healthDetail(instance));

    expect(status).toBe(200);
    expect(body).toMatchObject({
      ok: true,
      troubles: [],
      store: { ok: true, code: null },
      timer: { lastRunAt: expect.any(String), late: false },
      eventHub: { status: 'reading', oldestUnreadSince: null, partitions: 1 },
      hubs: [{ host: app.host, liveness: { state: 'live' } }],
      fleet: { problems: 0, revision: expect.any(String) },
    });
  });

  test('answers 503 and names each trouble: a silent hub, a late timer', async () => {
    await open();
    prepare();
    await minutes(10);
    await minutes(25, NOTHING);
    const silent = await call(healthDetail(instance));
    app.pass(10 * MINUTE_MS);
    const late = await call(healthDetail(instance));

    expect([silent.status, late.status]).toEqual([503, 503]);
    expect(silent.body.troubles).toEqual([expect.stringContaining(`${app.host} is silent`)]);
    expect(late.body.troubles).toEqual([expect.stringContaining('resyncFleet has not run since')]);
  });

  test('answers although the state tables cannot be used', async () => {
    await open({
      tables:
        'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/devstoreaccount1;',
    });

    const { status, body } = await call(healthDetail(instance));

    expect(status).toBe(503);
    expect(body).toMatchObject({
      ok: false,
      store: { ok: false, code: 'BERTH_STORE_UNAVAILABLE' },
      hubs: [],
    });
  });
});
