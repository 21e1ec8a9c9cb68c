import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ConnectionDropped } from '../../local/https/exchange.ts';
import type { HttpRequest } from '../../local/https/index.ts';
import { HUB_DEADLINE_MS } from '../../src/hub/port.ts';
import type { HostName } from '../../src/iot-hub/host-name.ts';
import { auditName } from '../../src/sync/resync/audit-progress.ts';
import { NO_FAULTS } from '../local/iot-hub/no-faults.ts';
import { type HeldDeadlines, holdDeadlines } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import {
  FunctionApp,
  type FunctionAppOptions,
  type Line,
  refusal,
  troubles,
} from '../support/function-app.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

let app: FunctionApp;
/** Calls to hubs end by a test's word, so that no slow machine ends them. */
let deadlines: HeldDeadlines;
beforeEach(() => {
  deadlines = holdDeadlines(HUB_DEADLINE_MS);
});
afterEach(async () => {
  deadlines.release();
  await app.close();
});

const open = async (options: FunctionAppOptions = {}) => {
  app = await FunctionApp.open(options);
  return app.instance();
};
const isPatch = ({ method, path }: HttpRequest) => method === 'PATCH' && path.startsWith('/twins/');
const isTwin = ({ path }: HttpRequest) => path.startsWith('/twins/');
/** Everything that is due by then is done. */
const comeBackAt = async (instance: ReturnType<FunctionApp['instance']>, at: number) => {
  app.pass(Math.max(0, at - app.now) + 1);
  return app.resync(instance);
};

describe('a correction that gets status 412 because another writer changed the twin', () => {
  test('costs one read and one more write, and keeps the other writer’s change', async () => {
    const instance = await open();
    app.create('pump');
    const created = app.take();
    app.hub().edit('pump', { tags: { unseen: true } }, 'service');

    await app.deliver(instance, created);

    expect(app.interval('pump')).toBe(5);
    expect(app.hub().twin('pump')?.tags).toEqual({ unseen: true });
    expect(app.calls).toEqual(['PATCH /twins/pump', 'GET /twins/pump', 'PATCH /twins/pump']);
  });

  test('is tried three times against a constant writer, and a later run makes it', async () => {
    const instance = await open();
    app.create('pump');
    let edits = 0;
    app.front = (request) => {
      if (isPatch(request)) app.hub().edit('pump', { tags: { edits: ++edits } }, 'service');
      return undefined;
    };
    await app.deliver(instance);

    expect(app.patches()).toBe(3);
    const { workItem, lastReconcile, writing } = await app.snapshot('pump');
    expect(lastReconcile).toMatchObject({
      status: 'drifted',
      why: expect.stringContaining('other writers keep'),
    });
    expect([writing, workItem?.why]).toEqual([undefined, 'other writers keep changing the twin']);

    app.front = undefined;
    await comeBackAt(instance, workItem?.at ?? 0);

    expect(app.interval('pump')).toBe(5);
    expect((await app.snapshot('pump')).workItem).toMatchObject({ priority: 'activity' });
  });
});

describe('status 404', () => {
  test('removes a device that is gone together with its modules', async () => {
    const instance = await open({
      policies: [
        { name: 'base', desired: { interval: 5 } },
        { name: 'log', target: 'module:collector', desired: { level: 'info' } },
      ],
    });
    app.create('pump', { interval: 5 });
    app.hub().createModule('pump', 'collector', {});
    await app.deliver(instance);
    expect((await app.known('pump', 'collector')).kind).toBe('snapshot');
    app.take();
    app.hub().edit('pump', { properties: { desired: { interval: 99 } } }, 'service');
    const edited = app.take();
    app.hub().remove('pump');
    app.take();

    await app.deliver(instance, edited);
    expect((await app.known('pump')).kind).toBe('deleted');
    app.pass(1_000);
    await app.resync(instance);

    expect((await app.known('pump', 'collector')).kind).toBe('deleted');
    expect(app.hub().counters.twinWrites).toBe(1);
  });

  test('removes a module that is gone and keeps its device', async () => {
    const instance = await open({
      policies: [{ name: 'log', target: 'module:collector', desired: { level: 'info' } }],
    });
    app.create('pump', {});
    app.hub().createModule('pump', 'collector', {});
    const created = app.take();
    app.hub().remove('pump', 'collector');

    await app.deliver(instance, created);

    expect((await app.known('pump', 'collector')).kind).toBe('deleted');
    expect((await app.known('pump')).kind).toBe('snapshot');
  });

  test('suspends a disabled device, checks it again and corrects it when it is enabled', async () => {
    const instance = await open();
    app.create('pump');
    await app.setStatus('pump', 'disabled');

    await app.deliver(instance);

    const suspended = await app.snapshot('pump');
    expect(suspended.lastReconcile).toMatchObject({ status: 'suspended', why: 'the device is disabled' });
    expect(suspended.writing).toBeUndefined();
    expect(suspended.workItem?.at).toBeGreaterThan(app.now);
    const patches = app.patches();
    await app.resync(instance);
    expect(app.patches()).toBe(patches);

    await comeBackAt(instance, suspended.workItem?.at ?? 0);
    expect((await app.snapshot('pump')).lastReconcile.status).toBe('suspended');

    await app.setStatus('pump', 'enabled');
    await comeBackAt(instance, (await app.snapshot('pump')).workItem?.at ?? 0);

    expect(app.interval('pump')).toBe(5);
    const corrected = await app.snapshot('pump');
    expect(corrected).toMatchObject({
      lastReconcile: { status: 'pending' },
      suspended: undefined,
      workItem: { priority: 'activity' },
    });
  });

  test.each(['IotHubFailingOver', 'IotHubNotFound'])(
    'with the code %s removes no device, and all devices are corrected afterwards',
    async (code) => {
      const instance = await open();
      for (const name of ['one', 'two', 'three', 'four', 'five']) app.create(name);
      app.front = async () => refusal(404, code);
      const lines = await app.deliver(instance);

      expect(troubles(lines)).toHaveLength(1);
      for (const name of ['one', 'two', 'three', 'four', 'five']) {
        const { workItem, writing } = await app.snapshot(name);
        expect(writing).toBeUndefined();
        expect(workItem?.at).toBeGreaterThan(app.now);
      }
      app.front = undefined;
      app.pass(20 * 60_000);
      await app.resync(instance);

      for (const name of ['one', 'two', 'three', 'four', 'five']) expect(app.interval(name)).toBe(5);
    },
  );
});

test('all twins are corrected again after a failover restores older twins', async () => {
  const instance = await open();
  for (const name of ['one', 'two']) app.create(name);
  await app.deliver(instance);
  expect([app.interval('one'), app.interval('two')]).toEqual([5, 5]);
  app.take();
  app.hub().setFaults({ ...NO_FAULTS, failover: true, outageMs: HOUR_MS });
  expect([app.interval('one'), app.interval('two')]).toEqual([99, 99]);
  app.hub().edit('one', { tags: { after: true } }, 'service');
  app.hub().edit('two', { tags: { after: true } }, 'service');

  await app.deliver(instance);

  for (const name of ['one', 'two']) expect((await app.snapshot(name)).lastReconcile.status).toBe('unknown');
  app.hub().clearFaults();
  app.pass(HOUR_MS);
  await app.resync(instance);
  expect([app.interval('one'), app.interval('two')]).toEqual([5, 5]);
});

describe('status 400, with which a hub refuses a value', () => {
  test('counts as a rejection: the value is written once and not sent again', async () => {
    const instance = await open();
    app.create('pump');
    app.create('other');
    app.front = (request) =>
      request.path === '/twins/pump' && isPatch(request)
        ? Promise.resolve(refusal(400, 'ArgumentInvalid'))
        : undefined;
    const lines = await app.deliver(instance);

    expect(troubles(lines)).toMatchObject([
      { code: 'BERTH_HUB_REFUSED', hubCode: 'ArgumentInvalid', deviceId: 'pump' },
    ]);
    expect(await app.snapshot('pump')).toMatchObject({
      lastReconcile: { status: 'rejected', why: expect.stringContaining('the hub refused the value') },
      writing: undefined,
      workItem: undefined,
    });
    app.hub().edit('pump', { tags: { more: 1 } }, 'service');
    await app.deliver(instance);
    app.pass(DAY_MS);
    await app.resync(instance);

    expect(app.patches('pump')).toBe(1);
    expect(app.interval('other')).toBe(5);
  });
});

describe('an error that concerns the whole hub', () => {
  const many = Array.from({ length: 40 }, (_, index) => `pump-${index}`);
  const states = async () =>
    Promise.all(many.map(async (name) => (await app.snapshot(name)).lastReconcile.status));

  test.each([
    [401, 'IotHubUnauthorizedAccess'],
    [403, 'IotHubUnauthorized'],
  ])(
    'with status %i stops the work on that hub with one alert, and on no other hub',
    async (status, code) => {
      const instance = await open({ hubs: [{}, {}] });
      const [bad, good] = app.hosts;
      for (const name of many) app.create(name);
      app.create('well', { interval: 99 }, good);
      app.front = (request) => (request.host === bad ? Promise.resolve(refusal(status, code)) : undefined);

      const lines = await app.deliver(instance);

      expect(troubles(lines)).toMatchObject([{ code: 'BERTH_HUB_UNAUTHORIZED', hub: bad }]);
      expect(app.interval('well', good)).toBe(5);
      // Those that were under way when it turned out, and no more.
      expect(app.patches('pump')).toBeLessThanOrEqual(20);
      app.front = undefined;
      app.pass(HOUR_MS);
      await app.resync(instance);
      expect(many.map((name) => app.interval(name))).toEqual(many.map(() => 5));
    },
  );

  test('with code 403002 suspends all twins of the hub, with one alert, and tries the hub again every quarter of an hour', async () => {
    const instance = await open();
    for (const name of many) app.create(name);
    app.front = (request) =>
      isTwin(request) ? Promise.resolve(refusal(403, 'IotHubQuotaExceeded')) : undefined;

    const lines = await app.deliver(instance);

    expect(troubles(lines)).toMatchObject([{ code: 'BERTH_HUB_QUOTA_EXCEEDED', hub: app.host }]);
    expect(new Set(await states())).toEqual(new Set(['suspended']));
    for (const name of many) {
      const wait = ((await app.snapshot(name)).workItem?.at ?? 0) - app.now;
      expect(wait).toBeGreaterThanOrEqual(14 * 60_000);
      expect(wait).toBeLessThanOrEqual(25 * 60_000);
    }
    const calls = app.patches();
    app.pass(14 * 60_000);
    await app.resync(instance);
    expect(app.patches()).toBe(calls);

    // An operator has added units.
    app.front = undefined;
    app.pass(20 * 60_000);
    await app.resync(instance);
    expect(many.map((name) => app.interval(name))).toEqual(many.map(() => 5));
  });

  test('with status 429 pauses the hub for this instance, for a longer time after each failure, without an alert', async () => {
    const instance = await open();
    for (const name of many) app.create(name);
    app.front = (request) =>
      isTwin(request) ? Promise.resolve(refusal(429, 'ThrottlingException')) : undefined;

    const lines = await app.deliver(instance);

    expect(troubles(lines)).toEqual([]);
    expect(app.patches()).toBeLessThanOrEqual(20);
    const asked = async () => {
      const before = app.patches();
      app.hub().edit('pump-0', { tags: { more: before } }, 'service');
      await app.deliver(instance);
      return app.patches() + app.calls.filter((call) => call.startsWith('GET /twins/')).length;
    };
    // Within the pause nothing is asked, after it one call is enough for the next, longer one.
    const first = await asked();
    expect(await asked()).toBe(first);
    app.pass(2_600);
    expect(await asked()).toBeGreaterThan(first);
    const second = await asked();
    app.pass(2_600);
    expect(await asked()).toBe(second);

    app.front = undefined;
    app.pass(HOUR_MS);
    await app.resync(instance);
    expect(many.map((name) => app.interval(name))).toEqual(many.map(() => 5));
  });

  test('which names a connection setting that is missing stops no work of other hubs', async () => {
    const instance = await open({ hubs: [{}, { connection: 'FORGOTTEN' }] });
    app.create('pump');
    await app.deliver(instance);
    const began = app.now;
    let lines: readonly Line[] = [];
    // A heartbeat is due after ten quiet minutes.
    for (let minute = 0; minute < 12; minute += 1) {
      app.pass(60_000);
      lines = await app.resync(instance);
    }
    const { series, progress } = instance.stores;

    expect(await series.list('minute', began, app.now)).toHaveLength(12);
    expect(await progress.read(auditName(app.host))).toMatchObject({ phase: 'done' });
    expect(troubles(lines)).toContainEqual(
      expect.objectContaining({ code: 'BERTH_SETTING_INVALID', hub: app.hosts[1] }),
    );
  });

  test('with status 429 and Retry-After delays the next call for that time', async () => {
    const instance = await open();
    app.create('pump');
    app.front = (request) =>
      isTwin(request)
        ? Promise.resolve(refusal(429, 'ThrottlingException', { 'retry-after': '90' }))
        : undefined;
    await app.deliver(instance);
    const from = app.now;
    app.create('late');
    await app.deliver(instance);
    expect((await app.snapshot('pump')).workItem?.at).toBeGreaterThanOrEqual(from + 80_000);
    expect((await app.snapshot('late')).workItem?.at).toBeGreaterThanOrEqual(from + 80_000);

    const times: number[] = [];
    app.front = (request) => {
      if (isTwin(request)) times.push(app.now);
      return undefined;
    };
    app.pass(80_000);
    await app.resync(instance);
    // The run waits for the end of the pause.
    expect(times.filter((time) => time < from + 90_000)).toEqual([]);
    expect(times).not.toEqual([]);
    app.pass(HOUR_MS);
    await app.resync(instance);
    expect([app.interval('pump'), app.interval('late')]).toEqual([5, 5]);
  });
});

describe('a write with an unknown result', () => {
  const drop = async () => {
    throw new ConnectionDropped();
  };

  test.each([
    ['the hub answers 500 after it applied the write', true, async () => refusal(500, 'ServerError')],
    [
      'the hub answers 503 before it applied the write',
      false,
      async () => refusal(503, 'ServiceUnavailable'),
    ],
    ['the connection breaks after the write was applied', true, drop],
    ['the connection breaks before the write was applied', false, drop],
    ['the answer is not JSON after the write was applied', true, async () => ({ status: 200, body: 'x' })],
  ])('is followed by a read, and the value is written once: %s', async (_, isApplied, answer) => {
    const instance = await open();
    app.create('pump');
    app.front = async (request, serve) => {
      if (!isPatch(request)) return serve();
      if (isApplied) await serve();
      return answer();
    };
    await app.deliver(instance);
    const failed = await app.snapshot('pump');
    expect(failed.unread).toBeDefined();
    expect(failed.workItem?.at).toBeGreaterThan(app.now);

    app.front = undefined;
    await comeBackAt(instance, failed.workItem?.at ?? 0);

    expect(app.interval('pump')).toBe(5);
    expect(app.hub().counters.twinWrites).toBe(1);
    expect(app.calls.filter((call) => call.includes('/twins/')).slice(0, 2)).toEqual([
      'PATCH /twins/pump',
      'GET /twins/pump',
    ]);
    expect(app.patches()).toBe(isApplied ? 1 : 2);
    expect(await app.snapshot('pump')).toMatchObject({
      lastReconcile: { status: 'pending' },
      writing: undefined,
      workItem: { priority: 'activity' },
      unread: undefined,
      paths: { interval: { foreign: [], writes: [{ value: 5, count: 1 }] } },
    });
  });

  test.each([true, false])(
    'is followed by a read, and the value is written once, when no answer comes (write applied: %s)',
    async (isApplied) => {
      const instance = await open();
      app.create('pump');
      let isSilent = false;
      app.front = async (request, serve) => {
        if (!isPatch(request)) return serve();
        if (isApplied) await serve();
        isSilent = true;
        return new Promise(() => {});
      };
      const delivered = app.deliver(instance);
      await eventually(() => isSilent);
      deadlines.pass();
      const lines = await delivered;

      expect(troubles(lines)).toMatchObject([{ code: 'BERTH_HUB_TIMEOUT' }]);
      // Its own event comes before the work item does.
      app.front = undefined;
      app.pass(3_000);
      await app.deliver(instance);
      await comeBackAt(instance, (await app.snapshot('pump')).workItem?.at ?? app.now);

      expect(app.interval('pump')).toBe(5);
      expect(app.hub().counters.twinWrites).toBe(1);
      expect(app.patches()).toBe(isApplied ? 1 : 2);
      expect(app.calls.filter((call) => call.includes('/twins/')).slice(0, 2)).toEqual([
        'PATCH /twins/pump',
        'GET /twins/pump',
      ]);
      expect(await app.snapshot('pump')).toMatchObject({
        lastReconcile: { status: 'pending' },
        paths: { interval: { foreign: [], writes: [{ value: 5 }] } },
      });
    },
  );
});

describe('a hub that is down', () => {
  const many = Array.from({ length: 60 }, (_, index) => `pump-${index}`);

  const readyApp = async () => {
    const instance = await open({ hubs: [{}, {}] });
    const [bad, good] = app.hosts;
    for (const name of many) {
      app.create(name, { interval: 99 }, bad);
      app.create(name, { interval: 99 }, good);
    }
    return { instance, bad, good };
  };
  const corrected = many.map(() => 5);
  const expectBadIsCorrectedLater = async (instance: ReturnType<FunctionApp['instance']>, bad?: HostName) => {
    for (const name of many) expect((await app.snapshot(name, bad)).workItem).toBeDefined();

    app.front = undefined;
    app.pass(HOUR_MS);
    await app.resync(instance);
    expect(many.map((name) => app.interval(name, bad))).toEqual(corrected);
  };

  test('does not delay the devices of other hubs when it drops connections', async () => {
    const { instance, bad, good } = await readyApp();
    app.front = (request) => (request.host === bad ? Promise.reject(new ConnectionDropped()) : undefined);

    // No deadline passes here: the batch ends without one.
    await app.deliver(instance);

    expect(many.map((name) => app.interval(name, good))).toEqual(corrected);
    await expectBadIsCorrectedLater(instance, bad);
  });

  test('does not delay the devices of other hubs when it never answers', async () => {
    const { instance, bad, good } = await readyApp();
    let silences = 0;
    app.front = (request) => {
      if (request.host !== bad) return undefined;
      silences += 1;
      return new Promise<never>(() => {});
    };

    const delivered = app.deliver(instance);
    // No deadline has passed yet, so each good twin is corrected while the bad hub keeps its callers waiting.
    await eventually(() => many.every((name) => app.interval(name, good) === 5));
    expect(silences).toBeGreaterThan(0);
    deadlines.pass();
    await delivered;

    // One deadline is all that it costs: what has not been asked by then is left for later.
    expect(silences).toBeLessThanOrEqual(20);
    await expectBadIsCorrectedLater(instance, bad);
  });
});
