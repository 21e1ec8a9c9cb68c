import { afterEach, describe, expect, test } from '@jest/globals';
import type { Instance } from '../../src/instance/instance.ts';
import { hash } from '../../src/json/hash.ts';
import { requestName, walkName } from '../../src/sync/resync/walk.ts';
import { troubles, World, type WorldOptions } from './world.ts';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;
const MODULES = [
  { name: 'base', desired: { interval: 5 } },
  { name: 'log', target: 'module:collector', desired: { interval: 7 } },
];

let world: World;
let instance: Instance;
afterEach(() => world.close());
const open = async (options: WorldOptions = {}) => {
  world = await World.open(options);
  instance = world.instance();
};
/** One run finds, the next one does what is due. */
const twice = async () => {
  await world.resync(instance);
  world.pass(MINUTE_MS);
  await world.resync(instance);
};
const queries = () => world.calls.filter((call) => call === 'POST /devices/query').length;
const ask = () =>
  instance.stores.progress.write(requestName(world.host), { at: world.now, author: 'me', reason: 'test' });
const moduleInterval = (deviceId: string) => world.interval(deviceId, world.host, 'collector');

describe('the walk against a real hub', () => {
  test('finds a twin whose creation was never seen, over pages of a hundred', async () => {
    await open();
    for (let index = 0; index < 130; index += 1) world.create(`pump-${index}`, { interval: 5 });
    await world.deliver(instance);
    world.create('pump-050-missed');
    world.create('zebra');
    world.take();

    await twice();

    expect([world.interval('pump-050-missed'), world.interval('zebra')]).toEqual([5, 5]);
    expect(queries()).toBe(2);
    expect(await instance.stores.progress.read(walkName(world.host))).toMatchObject({
      phase: 'done',
      seen: 132,
      missed: 2,
      stale: 0,
    });
    world.pass(MINUTE_MS);
    await world.resync(instance);
    expect(queries()).toBe(2);
    world.pass(WEEK_MS);
    await world.resync(instance);
    // Two pages again, and three questions about devices that have never answered.
    expect(queries()).toBe(4 + 3);
  }, 60_000);

  test('finds a twin that has changed without an event, once that is no matter of lag', async () => {
    await open();
    world.create('pump', { interval: 5 });
    await world.deliver(instance);
    world.hub().edit('pump', { properties: { desired: { interval: 99 } } }, 'service');
    world.take();

    await twice();
    expect(world.interval('pump')).toBe(99);

    world.pass(WEEK_MS);
    await twice();
    expect(world.interval('pump')).toBe(5);
  });

  test('a person asks for it: everything is read again, also what is gone', async () => {
    await open({ policies: MODULES });
    for (const name of ['one', 'two', 'three', 'gone']) {
      world.create(name, { interval: 5 });
      world.hub().createModule(name, 'collector', {});
    }
    await world.deliver(instance);
    await world.resync(instance);
    world.take();
    world.hub().edit('two', { properties: { desired: { interval: 99 } } }, 'service');
    world.hub().edit('three', { properties: { desired: { interval: 98 } } }, 'service', 'collector');
    world.hub().remove('gone');
    world.take();
    const reads = () => world.calls.filter((call) => call.startsWith('GET /twins/')).length;
    const before = reads();
    world.pass(MINUTE_MS);
    await ask();

    await twice();

    const reread = reads() - before;
    expect(reread).toBeGreaterThanOrEqual(8);
    expect(world.interval('two')).toBe(5);
    expect(moduleInterval('three')).toBe(7);
    expect((await world.known('gone')).kind).toBe('deleted');
    expect((await world.known('gone', 'collector')).kind).toBe('deleted');
    // The same request is not met again.
    world.pass(MINUTE_MS);
    await twice();
    expect(reads() - before).toBe(reread);
  });

  test('looks at modules only where a policy targets one', async () => {
    await open();
    world.create('pump', { interval: 5 });
    world.hub().createModule('pump', 'collector', {});
    world.take();
    await twice();
    expect(queries()).toBe(1);
    expect((await world.known('pump', 'collector')).kind).toBe('nothing');
    await world.close();

    await open({ policies: MODULES });
    world.create('pump', { interval: 5 });
    world.hub().createModule('pump', 'collector', {});
    world.hub().createModule('pump', 'other', {});
    world.take();
    await twice();
    expect(queries()).toBe(2);
    expect(moduleInterval('pump')).toBe(7);
    expect((await world.known('pump', 'other')).kind).toBe('nothing');
  });

  test('a place in the list that the hub does not know any more: it begins anew', async () => {
    await open();
    world.create('pump');
    world.take();
    await instance.stores.progress.write(walkName(world.host), {
      startedAt: world.now,
      phase: 'devices',
      at: 'of another region',
      seen: 0,
      missed: 0,
      stale: 0,
      sampled: 0,
      mismatched: 0,
    });

    await twice();
    world.pass(MINUTE_MS);
    await world.resync(instance);

    expect(world.interval('pump')).toBe(5);
  });
});

test('a run that is fired by hand beside another does nothing, in the same instance too', async () => {
  await open();
  world.create('pump');
  world.take();

  await Promise.all([world.resync(instance), world.resync(instance), world.resync(instance)]);

  expect(queries()).toBe(1);
  world.pass(MINUTE_MS);
  await Promise.all([world.resync(instance), world.resync(instance)]);
  expect(world.interval('pump')).toBe(5);
  expect(world.calls.filter((call) => call.includes('/twins/'))).toEqual([
    'GET /twins/pump',
    'PATCH /twins/pump',
  ]);
});

describe('shadows that are not what the hub has', () => {
  /** Spoils what is stored of a twin, as a defect would: no version tells of it. */
  const spoil = async (deviceId: string) => {
    const { twins } = world.instance().stores;
    const record = await twins.load(world.id(deviceId));
    if (record.known.kind !== 'shadow') throw new Error(record.known.kind);
    const { shadow } = record.known;
    await twins.save(record, { kind: 'shadow', shadow: { ...shadow, tags: { spoilt: true } } });
  };

  const pumps = Array.from({ length: 5_000 }, (_, index) => `pump-${index}`);
  const isSampled = (name: string, startedAt: number) => hash(name, String(startedAt)) % 100 === 0;

  test('are found by the sample and read again; enough of them, and a read comes before each decision', async () => {
    await open();
    const startedAt = world.clock.stop();
    // The sample is another one at each moment: of these names exactly four are in it.
    const sampled = pumps.filter((name) => isSampled(name, startedAt)).slice(0, 4);
    const [other = '', another = ''] = pumps.filter((name) => !isSampled(name, startedAt));
    const names = [...sampled, other, another];
    for (const name of names) world.create(name, { interval: 5 });
    await world.deliver(instance);
    for (const name of sampled) await spoil(name);
    await spoil(other);

    const lines = await world.resync(instance);

    expect(troubles(lines, 'BERTH_SHADOW_MISMATCH').map(({ deviceId }) => deviceId)).toEqual(
      [...sampled].sort(),
    );
    expect(troubles(lines, 'BERTH_HUB_UNTRUSTED')).toMatchObject([{ hub: world.host }]);
    expect((await instance.stores.control.read()).untrusted).toHaveProperty([world.host], {
      since: startedAt,
      why: '4 of 4 shadows that were compared are not what the hub has',
    });
    world.clock.start();
    world.pass(MINUTE_MS);
    await world.resync(instance);
    for (const name of sampled) expect((await world.shadow(name)).tags).toEqual({});

    // An event in order, which says nothing of what is wrong.
    const before = world.reads(other);
    world.hub().edit(other, { properties: { desired: { more: 1 } } }, 'service');
    await world.deliver(instance);
    expect(world.reads(other) - before).toBe(1);
    expect((await world.shadow(other)).tags).toEqual({});
  });

  test('a few are bad luck: they are read again, and the hub stays trusted', async () => {
    await open();
    const startedAt = world.clock.stop();
    const [unlucky = ''] = pumps.filter((name) => isSampled(name, startedAt));
    world.create(unlucky, { interval: 5 });
    await world.deliver(instance);
    await spoil(unlucky);

    await world.resync(instance);

    world.clock.start();
    world.pass(MINUTE_MS);
    await world.resync(instance);
    expect((await world.shadow(unlucky)).tags).toEqual({});
    expect((await instance.stores.control.read()).untrusted).not.toHaveProperty([world.host]);
  });
});
