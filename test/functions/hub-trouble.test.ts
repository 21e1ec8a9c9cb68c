import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ConnectionDropped } from '../../local/https/exchange.ts';
import type { HttpRequest } from '../../local/https/index.ts';
import { HUB_DEADLINE_MS } from '../../src/hub/transport.ts';
import type { HostName } from '../../src/iot-hub/host-name.ts';
import { NO_FAULTS } from '../local/iot-hub/no-faults.ts';
import { type HeldDeadlines, holdDeadlines } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { refusal, troubles, World, type WorldOptions } from './world.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

let world: World;
/** Calls to hubs end by a test's word, so that no slow machine ends them. */
let deadlines: HeldDeadlines;
beforeEach(() => {
  deadlines = holdDeadlines(HUB_DEADLINE_MS);
});
afterEach(async () => {
  deadlines.release();
  await world.close();
});

const open = async (options: WorldOptions = {}) => {
  world = await World.open(options);
  return world.instance();
};
const isPatch = ({ method, path }: HttpRequest) => method === 'PATCH' && path.startsWith('/twins/');
const isTwin = ({ path }: HttpRequest) => path.startsWith('/twins/');
/** Everything that is due by then is done. */
const comeBackAt = async (instance: ReturnType<World['instance']>, at: number) => {
  world.pass(Math.max(0, at - world.now) + 1);
  return world.resync(instance);
};

describe('412: somebody wrote in between', () => {
  test('one read and one more write, and what they wrote stays', async () => {
    const instance = await open();
    world.create('pump');
    const created = world.take();
    world.hub().edit('pump', { tags: { unseen: true } }, 'service');

    await world.deliver(instance, created);

    expect(world.interval('pump')).toBe(5);
    expect(world.hub().twin('pump')?.tags).toEqual({ unseen: true });
    expect(world.calls).toEqual(['PATCH /twins/pump', 'GET /twins/pump', 'PATCH /twins/pump']);
  });

  test('somebody who writes all the time: three writes, then it is due, and corrected later', async () => {
    const instance = await open();
    world.create('pump');
    let edits = 0;
    world.front = (request) => {
      if (isPatch(request)) world.hub().edit('pump', { tags: { edits: ++edits } }, 'service');
      return undefined;
    };
    await world.deliver(instance);

    expect(world.patches()).toBe(3);
    const { due, judgement, writing } = await world.shadow('pump');
    expect(judgement).toMatchObject({ state: 'drifted', why: expect.stringContaining('others write') });
    expect([writing, due?.why]).toEqual([undefined, 'others write to the twin all the time']);

    world.front = undefined;
    await comeBackAt(instance, due?.at ?? 0);

    expect(world.interval('pump')).toBe(5);
    expect((await world.shadow('pump')).due).toMatchObject({ priority: 'activity' });
  });
});

describe('404', () => {
  test('a device that is gone is forgotten, and its modules with it', async () => {
    const instance = await open({
      policies: [
        { name: 'base', desired: { interval: 5 } },
        { name: 'log', target: 'module:collector', desired: { level: 'info' } },
      ],
    });
    world.create('pump', { interval: 5 });
    world.hub().createModule('pump', 'collector', {});
    await world.deliver(instance);
    expect((await world.known('pump', 'collector')).kind).toBe('shadow');
    world.take();
    world.hub().edit('pump', { properties: { desired: { interval: 99 } } }, 'service');
    const edited = world.take();
    world.hub().remove('pump');
    world.take();

    await world.deliver(instance, edited);
    expect((await world.known('pump')).kind).toBe('deleted');
    world.pass(1_000);
    await world.resync(instance);

    expect((await world.known('pump', 'collector')).kind).toBe('deleted');
    expect(world.hub().counters.twinWrites).toBe(1);
  });

  test('a module that is gone is forgotten, and its device is not', async () => {
    const instance = await open({
      policies: [{ name: 'log', target: 'module:collector', desired: { level: 'info' } }],
    });
    world.create('pump', {});
    world.hub().createModule('pump', 'collector', {});
    const created = world.take();
    world.hub().remove('pump', 'collector');

    await world.deliver(instance, created);

    expect((await world.known('pump', 'collector')).kind).toBe('deleted');
    expect((await world.known('pump')).kind).toBe('shadow');
  });

  test('a disabled device is parked, looked at again, and corrected when it is enabled', async () => {
    const instance = await open();
    world.create('pump');
    await world.setStatus('pump', 'disabled');

    await world.deliver(instance);

    const parked = await world.shadow('pump');
    expect(parked.judgement).toMatchObject({ state: 'parked', why: 'the device is disabled' });
    expect(parked.writing).toBeUndefined();
    expect(parked.due?.at).toBeGreaterThan(world.now);
    const patches = world.patches();
    await world.resync(instance);
    expect(world.patches()).toBe(patches);

    await comeBackAt(instance, parked.due?.at ?? 0);
    expect((await world.shadow('pump')).judgement.state).toBe('parked');

    await world.setStatus('pump', 'enabled');
    await comeBackAt(instance, (await world.shadow('pump')).due?.at ?? 0);

    expect(world.interval('pump')).toBe(5);
    const corrected = await world.shadow('pump');
    expect(corrected).toMatchObject({
      judgement: { state: 'pending' },
      parked: undefined,
      due: { priority: 'activity' },
    });
  });

  test.each(['IotHubFailingOver', 'IotHubNotFound'])(
    '%s says nothing of devices: none is forgotten, and all are corrected after',
    async (code) => {
      const instance = await open();
      for (const name of ['one', 'two', 'three', 'four', 'five']) world.create(name);
      world.front = async () => refusal(404, code);
      const lines = await world.deliver(instance);

      expect(troubles(lines)).toHaveLength(1);
      for (const name of ['one', 'two', 'three', 'four', 'five']) {
        const { due, writing } = await world.shadow(name);
        expect(writing).toBeUndefined();
        expect(due?.at).toBeGreaterThan(world.now);
      }
      world.front = undefined;
      world.pass(20 * 60_000);
      await world.resync(instance);

      for (const name of ['one', 'two', 'three', 'four', 'five']) expect(world.interval(name)).toBe(5);
    },
  );
});

test('a hub that fails over, with twins that are older than they were: all are corrected again', async () => {
  const instance = await open();
  for (const name of ['one', 'two']) world.create(name);
  await world.deliver(instance);
  expect([world.interval('one'), world.interval('two')]).toEqual([5, 5]);
  world.take();
  world.hub().setFaults({ ...NO_FAULTS, failover: true, outageMs: HOUR_MS });
  expect([world.interval('one'), world.interval('two')]).toEqual([99, 99]);
  world.hub().edit('one', { tags: { after: true } }, 'service');
  world.hub().edit('two', { tags: { after: true } }, 'service');

  await world.deliver(instance);

  for (const name of ['one', 'two']) expect((await world.shadow(name)).judgement.state).toBe('unknown');
  world.hub().liftFaults();
  world.pass(HOUR_MS);
  await world.resync(instance);
  expect([world.interval('one'), world.interval('two')]).toEqual([5, 5]);
});

describe('400: the hub refuses the value', () => {
  test('it counts as rejected, is told once, and not sent again', async () => {
    const instance = await open();
    world.create('pump');
    world.create('other');
    world.front = (request) =>
      request.path === '/twins/pump' && isPatch(request)
        ? Promise.resolve(refusal(400, 'ArgumentInvalid'))
        : undefined;
    const lines = await world.deliver(instance);

    expect(troubles(lines)).toMatchObject([
      { code: 'BERTH_HUB_REFUSED', hubCode: 'ArgumentInvalid', deviceId: 'pump' },
    ]);
    expect(await world.shadow('pump')).toMatchObject({
      judgement: { state: 'rejected', why: expect.stringContaining('the hub refused the value') },
      writing: undefined,
      due: undefined,
    });
    world.hub().edit('pump', { tags: { more: 1 } }, 'service');
    await world.deliver(instance);
    world.pass(DAY_MS);
    await world.resync(instance);

    expect(world.patches('pump')).toBe(1);
    expect(world.interval('other')).toBe(5);
  });
});

describe('what is wrong with the whole hub', () => {
  const many = Array.from({ length: 40 }, (_, index) => `pump-${index}`);
  const states = async () =>
    Promise.all(many.map(async (name) => (await world.shadow(name)).judgement.state));

  test.each([
    [401, 'IotHubUnauthorizedAccess'],
    [403, 'IotHubUnauthorized'],
  ])('%i stops that hub with one alert, and no other hub', async (status, code) => {
    const instance = await open({ hubs: [{}, {}] });
    const [bad, good] = world.hosts;
    for (const name of many) world.create(name);
    world.create('well', { interval: 99 }, good);
    world.front = (request) => (request.host === bad ? Promise.resolve(refusal(status, code)) : undefined);

    const lines = await world.deliver(instance);

    expect(troubles(lines)).toMatchObject([{ code: 'BERTH_HUB_UNAUTHORIZED', hub: bad }]);
    expect(world.interval('well', good)).toBe(5);
    // Those that were under way when it turned out, and no more.
    expect(world.patches('pump')).toBeLessThanOrEqual(20);
    world.front = undefined;
    world.pass(HOUR_MS);
    await world.resync(instance);
    expect(many.map((name) => world.interval(name))).toEqual(many.map(() => 5));
  });

  test('403002 parks all twins of the hub until the next UTC day, with one alert', async () => {
    const instance = await open();
    for (const name of many) world.create(name);
    world.front = async () => refusal(403, 'IotHubQuotaExceeded');

    const lines = await world.deliver(instance);

    expect(troubles(lines)).toMatchObject([{ code: 'BERTH_HUB_QUOTA_EXCEEDED', hub: world.host }]);
    expect(new Set(await states())).toEqual(new Set(['parked']));
    const midnight = (Math.floor(world.now / DAY_MS) + 1) * DAY_MS;
    for (const name of many) {
      const at = (await world.shadow(name)).due?.at ?? 0;
      expect(at).toBeGreaterThanOrEqual(midnight);
      expect(at).toBeLessThanOrEqual(midnight + 30 * 60_000);
    }
    const calls = world.patches();
    world.pass(midnight - world.now - 1_000);
    await world.resync(instance);
    expect(world.patches()).toBe(calls);

    world.front = undefined;
    world.pass(HOUR_MS);
    await world.resync(instance);
    expect(many.map((name) => world.interval(name))).toEqual(many.map(() => 5));
  });

  test('429 pauses the hub for this instance, each time for longer, and not a word', async () => {
    const instance = await open();
    for (const name of many) world.create(name);
    world.front = (request) =>
      isTwin(request) ? Promise.resolve(refusal(429, 'ThrottlingException')) : undefined;

    const lines = await world.deliver(instance);

    expect(troubles(lines)).toEqual([]);
    expect(world.patches()).toBeLessThanOrEqual(20);
    const asked = async () => {
      const before = world.patches();
      world.hub().edit('pump-0', { tags: { more: before } }, 'service');
      await world.deliver(instance);
      return world.patches() + world.calls.filter((call) => call.startsWith('GET /twins/')).length;
    };
    // Within the pause nothing is asked, after it one call is enough for the next, longer one.
    const first = await asked();
    expect(await asked()).toBe(first);
    world.pass(2_600);
    expect(await asked()).toBeGreaterThan(first);
    const second = await asked();
    world.pass(2_600);
    expect(await asked()).toBe(second);

    world.front = undefined;
    world.pass(HOUR_MS);
    await world.resync(instance);
    expect(many.map((name) => world.interval(name))).toEqual(many.map(() => 5));
  });

  test('429 with Retry-After: not before that', async () => {
    const instance = await open();
    world.create('pump');
    world.front = (request) =>
      isTwin(request)
        ? Promise.resolve(refusal(429, 'ThrottlingException', { 'retry-after': '90' }))
        : undefined;
    await world.deliver(instance);
    const from = world.now;
    world.create('late');
    await world.deliver(instance);
    expect((await world.shadow('pump')).due?.at).toBeGreaterThanOrEqual(from + 80_000);
    expect((await world.shadow('late')).due?.at).toBeGreaterThanOrEqual(from + 80_000);

    world.front = undefined;
    world.pass(80_000);
    await world.resync(instance);
    expect(world.patches()).toBe(1);
    world.pass(HOUR_MS);
    await world.resync(instance);
    expect([world.interval('pump'), world.interval('late')]).toEqual([5, 5]);
  });
});

describe('a write whose fate is not known', () => {
  const drop = async () => {
    throw new ConnectionDropped();
  };

  test.each([
    ['500 after it was applied', true, async () => refusal(500, 'ServerError')],
    ['503 before it was applied', false, async () => refusal(503, 'ServiceUnavailable')],
    ['a connection that breaks after it was applied', true, drop],
    ['a connection that breaks before it was applied', false, drop],
    ['something that is not JSON after it was applied', true, async () => ({ status: 200, body: 'x' })],
  ])('%s: a read comes first, and the value is written once', async (_, isApplied, answer) => {
    const instance = await open();
    world.create('pump');
    world.front = async (request, serve) => {
      if (!isPatch(request)) return serve();
      if (isApplied) await serve();
      return answer();
    };
    await world.deliver(instance);
    const failed = await world.shadow('pump');
    expect(failed.unread).toBeDefined();
    expect(failed.due?.at).toBeGreaterThan(world.now);

    world.front = undefined;
    await comeBackAt(instance, failed.due?.at ?? 0);

    expect(world.interval('pump')).toBe(5);
    expect(world.hub().counters.twinWrites).toBe(1);
    expect(world.calls.filter((call) => call.includes('/twins/')).slice(0, 2)).toEqual([
      'PATCH /twins/pump',
      'GET /twins/pump',
    ]);
    expect(world.patches()).toBe(isApplied ? 1 : 2);
    expect(await world.shadow('pump')).toMatchObject({
      judgement: { state: 'pending' },
      writing: undefined,
      due: { priority: 'activity' },
      unread: undefined,
      paths: { interval: { foreign: [], writes: [{ value: 5, count: 1 }] } },
    });
  });

  test.each([true, false])(
    'no answer at all (applied: %s): a read comes first, and the value is written once',
    async (isApplied) => {
      const instance = await open();
      world.create('pump');
      let isSilent = false;
      world.front = async (request, serve) => {
        if (!isPatch(request)) return serve();
        if (isApplied) await serve();
        isSilent = true;
        return new Promise(() => {});
      };
      const delivered = world.deliver(instance);
      await eventually(() => isSilent);
      deadlines.pass();
      const lines = await delivered;

      expect(troubles(lines)).toMatchObject([{ code: 'BERTH_HUB_TIMEOUT' }]);
      // Its own event comes before the due row does.
      world.front = undefined;
      world.pass(3_000);
      await world.deliver(instance);
      await comeBackAt(instance, (await world.shadow('pump')).due?.at ?? world.now);

      expect(world.interval('pump')).toBe(5);
      expect(world.hub().counters.twinWrites).toBe(1);
      expect(world.patches()).toBe(isApplied ? 1 : 2);
      expect(world.calls.filter((call) => call.includes('/twins/')).slice(0, 2)).toEqual([
        'PATCH /twins/pump',
        'GET /twins/pump',
      ]);
      expect(await world.shadow('pump')).toMatchObject({
        judgement: { state: 'pending' },
        paths: { interval: { foreign: [], writes: [{ value: 5 }] } },
      });
    },
    40_000,
  );
});

describe('one hub that is down holds up nobody else’s devices', () => {
  const many = Array.from({ length: 60 }, (_, index) => `pump-${index}`);

  const readyWorld = async () => {
    const instance = await open({ hubs: [{}, {}] });
    const [bad, good] = world.hosts;
    for (const name of many) {
      world.create(name, { interval: 99 }, bad);
      world.create(name, { interval: 99 }, good);
    }
    return { instance, bad, good };
  };
  const corrected = many.map(() => 5);
  const expectBadIsCorrectedLater = async (instance: ReturnType<World['instance']>, bad?: HostName) => {
    for (const name of many) expect((await world.shadow(name, bad)).due).toBeDefined();

    world.front = undefined;
    world.pass(HOUR_MS);
    await world.resync(instance);
    expect(many.map((name) => world.interval(name, bad))).toEqual(corrected);
  };

  test('one that drops connections', async () => {
    const { instance, bad, good } = await readyWorld();
    world.front = (request) => (request.host === bad ? Promise.reject(new ConnectionDropped()) : undefined);

    await world.deliver(instance);

    expect(many.map((name) => world.interval(name, good))).toEqual(corrected);
    await expectBadIsCorrectedLater(instance, bad);
  }, 60_000);

  test('one that never answers', async () => {
    const { instance, bad, good } = await readyWorld();
    let silences = 0;
    world.front = (request) => {
      if (request.host !== bad) return undefined;
      silences += 1;
      return new Promise<never>(() => {});
    };

    const delivered = world.deliver(instance);
    // No deadline has passed yet, so each good twin is corrected while the bad hub keeps its callers waiting.
    await eventually(() => many.every((name) => world.interval(name, good) === 5));
    expect(silences).toBeGreaterThan(0);
    deadlines.pass();
    await delivered;

    // One deadline is all that it costs: what has not been asked by then is left for later.
    expect(silences).toBeLessThanOrEqual(20);
    await expectBadIsCorrectedLater(instance, bad);
  }, 60_000);
});
