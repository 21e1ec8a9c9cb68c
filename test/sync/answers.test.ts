import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { HubClock } from '../../src/hub/hub-clock.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { HubError } from '../../src/hub/port.ts';
import { watchHubs } from '../../src/hub/watched-hubs.ts';
import type { JsonObject } from '../../src/json/json.ts';
import type { Gate } from '../../src/sync/reconcile/write-gate.ts';
import { askActivity } from '../../src/sync/resync/activity.ts';
import { type EpochMs, earlierOf, laterOf, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { restoreSnapshot, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { at, fleetOf, ID, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { resyncContextOf } from './sync-context.ts';

/*
 * The answers of a device after a write, in virtual time: the hub, the device and Berth's work items. Each test defines
 * what the device does. Berth reconciles the twin again at the time of its work item.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const INTERVAL = fleetOf({ policies: [{ name: 'base', desired: { interval: 5 } }] });

let time: EpochMs;
let hub: MemoryHub;
let store: MemoryTwinStore;
/** How far the clock of Berth's instance is ahead of the hub's. */
let ahead: number;
let clock: HubClock;
beforeEach(() => {
  time = T0;
  ahead = 0;
  clock = new HubClock(() => plus(time, ahead));
  hub = new MemoryHub(() => {
    time = plus(time, 1);
    return time;
  });
  store = new MemoryTwinStore();
});

const contextFor = (fleet: Fleet, gate: Gate = OPEN_GATE) => {
  const now = () => plus(time, ahead);
  const hubs = watchHubs(hub, { pauses: new HubPauses(() => 0), count: () => {}, now, clock });
  return resyncContextOf({
    fleet,
    hubs,
    twins: store,
    now,
    hubNow: clock.now,
    gate: { current: async () => gate },
  });
};
const take = (event: TwinEvent, fleet = INTERVAL) => contextFor(fleet).reconciler.reconcile(ID, [event]);
const snapshot = (): Snapshot => {
  const known = store.records.get(`${ID.host}|${ID.deviceId}`)?.known;
  if (known?.kind !== 'snapshot') throw new Error(`no snapshot but ${known?.kind}`);
  return restoreSnapshot(ID, known.snapshot);
};
const state = () => snapshot().lastReconcile.status;
const writes = () => hub.calls.filter((call) => call.startsWith('PATCH'));
const reads = () => hub.calls.filter((call) => call === 'GET');

/** Lets time pass, and does what is due in it; the device reacts to each write that it hears. */
async function pass(ms: number, react?: () => readonly TwinEvent[], fleet = INTERVAL): Promise<void> {
  const end = plus(time, ms);
  const context = contextFor(fleet);
  while (time < end) {
    const { workItem } = snapshot();
    const next = laterOf(time, earlierOf(end, workItem?.at ?? end));
    time = plus(next, 1);
    if (workItem === undefined || workItem.at > time) continue;
    const before = writes().length;
    if (workItem.priority === 'activity') await askActivity([ID.host], context, () => true);
    else await context.reconciler.reconcile(ID, []);
    if (writes().length > before) for (const event of react?.() ?? []) await take(event, fleet);
  }
}

describe('a device that reports another value', () => {
  test('is rejected after three writes when it reports its earlier value at each notification', async () => {
    await take(hub.created());
    await take(hub.report({ interval: 30 }));
    const stubborn = () => [hub.report({ interval: 30 })];
    for (const event of stubborn()) await take(event);

    await pass(60 * MINUTE, stubborn);

    expect(writes()).toHaveLength(3);
    expect(snapshot().lastReconcile).toMatchObject({
      status: 'rejected',
      why: 'interval the device reports another value; Berth wrote it 3 times',
    });
  });

  test('is in sync after one write when it reports each second and needs 20 seconds for a value', async () => {
    await take(hub.created());
    await take(hub.report({ interval: 30, fan: 1 }));
    for (let second = 0; second < 20; second += 1) {
      await pass(SECOND);
      await take(hub.report({ interval: 30, fan: second }));
    }
    await take(hub.report({ interval: 5 }));
    await pass(60 * MINUTE);

    expect(state()).toBe('inSync');
    expect(writes()).toHaveLength(1);
  });

  test('gets more writes and no rejection when it reports each second and needs three minutes for a value', async () => {
    await take(hub.created());
    await take(hub.report({ interval: 30 }));
    const states = new Set<string>();
    for (let second = 0; second < 180; second += 1) {
      await pass(SECOND);
      await take(hub.report({ interval: 30 }));
      states.add(state());
    }
    await take(hub.report({ interval: 5 }));
    await pass(60 * MINUTE);

    expect(states).toEqual(new Set(['pending']));
    expect(state()).toBe('inSync');
    expect(writes().length).toBeLessThanOrEqual(3);
  });
});

describe('an acknowledgement without a version', () => {
  const SAVER = fleetOf({
    policies: [
      { name: 'saver', when: 'reported.battery < 20', desired: { sendDataInterval: 60_000 } },
      { name: 'interval', desired: { sendDataInterval: 5_000 } },
    ],
  });

  test('of the earlier value is not an answer to the value that is written now', async () => {
    await take(hub.created(), SAVER);
    await take(hub.report({ sendDataInterval: { value: 5_000, ac: 200 } }), SAVER);
    expect(state()).toBe('inSync');

    await take(hub.report({ battery: 10 }), SAVER);

    expect(writes()).toEqual(['PATCH {"sendDataInterval":5000}', 'PATCH {"sendDataInterval":60000}']);
    expect(state()).toBe('pending');
    await take(hub.report({ sendDataInterval: { value: 60_000, ac: 200 } }), SAVER);
    expect(state()).toBe('inSync');
  });

  test('that refuses the new value rejects it with the device’s reason', async () => {
    await take(hub.created());
    await take(hub.report({ interval: { value: 30, ac: 400, ad: 'at least 10' } }));

    await pass(2 * MINUTE);

    expect(writes()).toHaveLength(1);
    expect(snapshot().lastReconcile.why).toBe('interval the device answered 400: at least 10');
  });

  test.each<[string, JsonObject]>([
    ['with a value', { value: 30, ac: 400, ad: 'at least 10' }],
    ['without a value', { ac: 400, ad: 'at least 10' }],
  ])(
    'that refuses a value counts at once when the device reported nothing before: %s',
    async (_, refusal) => {
      await take(hub.created());
      await pass(2 * SECOND);

      await take(hub.report({ interval: refusal }));

      expect(snapshot().lastReconcile).toMatchObject({
        status: 'rejected',
        why: 'interval the device answered 400: at least 10',
      });
    },
  );

  test('that repeats the refusal of an earlier value counts only a minute after the write', async () => {
    const earlier = fleetOf({ policies: [{ name: 'base', desired: { interval: 4 } }] });
    await take(hub.created(), earlier);
    await take(hub.report({ interval: { ac: 400 } }), earlier);
    await pass(60 * MINUTE, undefined, earlier);
    await take(hub.report({ battery: 1 }));
    expect(writes()).toHaveLength(2);

    await take(hub.report({ interval: { ac: 400 } }));
    expect(state()).toBe('pending');
    await pass(MINUTE);

    expect(state()).toBe('rejected');
  });

  test('with code 202 from long before the write gets its whole deadline from the write on', async () => {
    await take(hub.created(), fleetOf({ policies: [] }));
    await take(hub.report({ interval: { value: 30, ac: 202 } }), fleetOf({ policies: [] }));
    time = plus(time, 120 * MINUTE);
    await take(hub.report({ battery: 1 }));
    await take(hub.report({ interval: { value: 30, ac: 202 } }));

    await pass(50 * MINUTE);
    expect(snapshot().lastReconcile.why).toBe('interval the device answered 202: in progress');
    await pass(20 * MINUTE);

    expect(state()).toBe('rejected');
  });

  test.each<[string, JsonObject]>([
    ['with the value', { value: { temp: 20 }, ac: 202, av: 2 }],
    ['without the value', { ac: 202, av: 2 }],
  ])('with code 202 for an enclosing object ends at the deadline too: %s', async (_, report) => {
    const fleet = fleetOf({ policies: [{ name: 'hvac', desired: { hvac: { temp: 21 } } }] });
    await take(hub.created(), fleet);
    await take(hub.report({ hvac: report }), fleet);
    await pass(50 * MINUTE, undefined, fleet);
    expect(state()).toBe('pending');

    await pass(20 * MINUTE, undefined, fleet);

    expect(state()).toBe('rejected');
  });

  test('of an enclosing object in the older convention counts like any other', async () => {
    const hvac = { name: 'hvac', desired: { hvac: { temp: 21 } }, acknowledgement: 'central' };
    const fleet = fleetOf({ policies: [hvac] });
    await take(hub.created(), fleet);
    await take(hub.report({ hvac: { value: { temp: 20 }, status: 'rejected', message: 'too warm' } }), fleet);

    await pass(2 * MINUTE, undefined, fleet);

    expect(snapshot().lastReconcile.why).toBe('hvac.temp the device answered 400: too warm');
  });

  test('of an enclosing object counts when the twin was read just before', async () => {
    const fleet = fleetOf({ policies: [{ name: 'hvac', desired: { hvac: { temp: 21 } } }] });
    hub.edit({ hvac: { temp: 21 } });
    time = plus(time, 10 * MINUTE);

    await take(hub.report({ hvac: { value: { temp: 20 }, ac: 400, ad: 'too warm' } }), fleet);

    expect(snapshot().lastReconcile.why).toBe('hvac.temp the device answered 400: too warm');
  });

  test('that reports one failure uses one attempt', async () => {
    await take(hub.created());
    await take(hub.report({ interval: { value: 30, ac: 500 } }));

    await pass(60 * MINUTE);

    expect(writes()).toHaveLength(2);
    expect(state()).toBe('pending');
  });

  test('that reports a failure each time leads to a rejection after the last attempt', async () => {
    const fail = () => [hub.report({ interval: { value: 30, ac: 500 } })];
    await take(hub.created());
    for (const event of fail()) await take(event);

    await pass(60 * MINUTE, fail);

    expect(writes()).toHaveLength(3);
    expect(state()).toBe('rejected');
  });
});

describe('a value without an answer', () => {
  const reportOther = () => hub.report({ battery: 50 });

  test('is not written again to a device without a sign of life, and the hub is asked less and less often', async () => {
    hub.activity = { isConnected: false, lastActivityAt: at(-60) };
    await take(hub.created());

    await pass(24 * 60 * MINUTE);

    expect(writes()).toHaveLength(1);
    expect(state()).toBe('pending');
    expect(hub.calls.filter((call) => call.startsWith('activity')).length).toBeLessThanOrEqual(8);
  });

  test('is written again after two minutes, and then later each time, to a device that reports other properties', async () => {
    await take(hub.created());
    const times = [time];
    for (let second = 0; second < 30 * 60; second += 10) {
      const before = writes().length;
      await pass(10 * SECOND);
      await take(reportOther());
      if (writes().length > before) times.push(time);
    }

    const waits = times.slice(1).map((each, index) => Math.round((each - (times[index] ?? 0)) / MINUTE));
    expect(waits).toEqual([2, 4]);
    expect(snapshot().lastReconcile).toMatchObject({
      status: 'rejected',
      why: 'interval has not been reported yet; Berth wrote it 3 times; the device is alive and does not answer',
    });
  });

  test('in a rollout in stages is lost an hour after the deadline if the hub never says whether the device is alive', async () => {
    const rollout = { stages: [{ name: 'all', share: 1, atLeast: '1h' }], gate: { deadline: '24h' } };
    const inStages = fleetOf({ policies: [{ name: 'base', desired: { interval: 5 }, rollout }] });
    const inAll = () =>
      contextFor(inStages, { ...OPEN_GATE, contentOf: () => ({ kind: 'new', stage: 'all' }) });
    await take(hub.created(), fleetOf({}));
    await take(hub.report({ battery: 50 }), fleetOf({}));
    await inAll().reconciler.resync(ID);
    await inAll().reconciler.reconcile(ID, []);
    expect(writes()).toHaveLength(1);
    hub.readActivity = async () => {
      throw new HubError('BERTH_HUB_UNAVAILABLE', 'away', { host: ID.host });
    };
    const statuses: unknown[] = [];
    for (let hour = 0; hour < 28; hour += 1) {
      time = plus(time, 60 * MINUTE);
      await askActivity([ID.host], inAll(), () => true);
      statuses.push(...Object.values(snapshot().lastReconcile.policies));
    }

    expect(statuses.indexOf('lost')).toBeGreaterThanOrEqual(24);
    expect(statuses.at(-1)).toBe('lost');
    expect(writes()).toHaveLength(1);
  });

  test('is in sync when the device answers at any later time', async () => {
    await take(hub.created());
    for (let minute = 0; minute < 20; minute += 1) {
      await pass(MINUTE);
      await take(reportOther());
    }
    expect(state()).toBe('rejected');

    await take(hub.report({ interval: 5 }));

    expect(state()).toBe('inSync');
  });

  test('is written again to a device that only sends telemetry, after its hub has reported that activity', async () => {
    await take(hub.created());
    await pass(5 * MINUTE);
    hub.activity = { isConnected: true, lastActivityAt: instantOf(time) };

    await pass(6 * MINUTE, () => [hub.report({ interval: 5 })]);

    expect(hub.calls).toEqual(['PATCH {"interval":5}', `activity of ${ID.deviceId}`, 'PATCH {"interval":5}']);
    expect(state()).toBe('inSync');
  });

  test('costs one more write, and never another, for a device with a wrong connection state', async () => {
    hub.activity = { isConnected: true, lastActivityAt: at(-600) };
    await take(hub.created());

    await pass(48 * 60 * MINUTE);

    expect(writes()).toHaveLength(2);
    expect(state()).toBe('pending');
  });

  test('causes no question to the hub while the hub is paused', async () => {
    await take(hub.created());
    time = plus(time, 11 * MINUTE);
    const gate = { current: async () => ({ ...OPEN_GATE, closedFor: () => 'paused by ann: test' }) };

    await askActivity([ID.host], { ...contextFor(INTERVAL), gate }, () => true);

    expect(hub.calls).toEqual(['PATCH {"interval":5}']);
  });
});

describe('an instance whose clock is wrong', () => {
  test.each([
    ['an hour fast', 60 * MINUTE],
    ['an hour slow', -60 * MINUTE],
  ])('needs no read for a twin in sync and for a correction (%s)', async (_, difference) => {
    ahead = difference;
    await take(hub.created());
    await take(hub.report({ interval: 5 }));
    for (let turn = 0; turn < 5; turn += 1) await take(hub.report({ temperature: turn }));

    expect(state()).toBe('inSync');
    expect(writes()).toHaveLength(1);
    expect(reads()).toEqual([]);
  });

  test.each([
    ['an hour fast', 60 * MINUTE],
    ['an hour slow', -60 * MINUTE],
  ])(
    'does not reject a device that needs 20 seconds for a value and writes once (%s)',
    async (_, difference) => {
      ahead = difference;
      await take(hub.created());
      await take(hub.report({ interval: 30 }));
      for (let second = 0; second < 20; second += 1) {
        await pass(SECOND);
        await take(hub.report({ interval: 30 }));
        expect(state()).toBe('pending');
      }
      await take(hub.report({ interval: 5 }));
      await pass(10 * MINUTE);

      expect(state()).toBe('inSync');
      expect(writes()).toHaveLength(1);
    },
  );
});

describe('an impossible time', () => {
  const FUTURE = '9999-12-31T23:59:59.0000000Z';
  const document = (values: JsonObject) => ({ ...hub.twin(), reported: { ...hub.twin().reported, values } });

  test('in a stored snapshot is replaced when the twin is read', async () => {
    await take(hub.created());
    await take(hub.report({ interval: 5 }));
    const known = store.records.get(`${ID.host}|${ID.deviceId}`);
    if (known?.known.kind !== 'snapshot') throw new Error('no snapshot');
    const wrong = { ...known.known.snapshot, asOf: FUTURE, bornAt: FUTURE } as Snapshot;
    store.records.set(`${ID.host}|${ID.deviceId}`, {
      ...known,
      known: { kind: 'snapshot', snapshot: wrong },
    });

    await take({ kind: 'unclear', id: ID, time: instantOf(time), why: 'test' });
    await take(hub.report({ temperature: 1 }));

    expect(reads()).toHaveLength(1);
    expect(snapshot().asOf < at(3_600)).toBe(true);
    expect(await take(hub.deleted())).toMatchObject({ result: 'deleted' });
  });

  test('in a document from the hub is ignored', async () => {
    await take({
      kind: 'create',
      id: ID,
      time: instantOf(time),
      twin: { ...document({}), readAt: instantOf(time), lastUpdated: FUTURE as Snapshot['asOf'] },
    });

    expect(snapshot().asOf < at(3_600)).toBe(true);
  });
});
