import { beforeEach, describe, expect, test } from '@jest/globals';
import { controlSchema } from '../../src/control/control.ts';
import type { HubBudget, NoPermit, PermittedOperation } from '../../src/hub/budget.ts';
import type { ReconcileResult } from '../../src/sync/reconcile/reconciler.ts';
import { Reconciler } from '../../src/sync/reconcile/reconciler.ts';
import { type Gate, WriteGate } from '../../src/sync/reconcile/write-gate.ts';
import { EPOCH, type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { restoreSnapshot, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { type ContextParts, syncContextOf } from './sync-context.ts';

const FLEET = fleetOf({
  policies: [
    { name: 'saver', when: 'reported.battery < 20', desired: { interval: 60 }, cooldown: '1m' },
    { name: 'base', desired: { interval: 5 } },
  ],
});

let time: EpochMs;
let hub: MemoryHub;
let store: MemoryTwinStore;
beforeEach(() => {
  time = T0;
  // The hub's clock runs on with every look, as time does.
  hub = new MemoryHub(
    () => {
      time = plus(time, 1);
      return time;
    },
    { interval: 5 },
  );
  store = new MemoryTwinStore();
});

const reconciler = ({
  gate = OPEN_GATE,
  ...more
}: Partial<Omit<ContextParts, 'gate'>> & { gate?: Gate | Pick<WriteGate, 'current'> } = {}) =>
  new Reconciler(
    syncContextOf({
      fleet: FLEET,
      hubs: hub,
      twins: store,
      gate: 'current' in gate ? gate : { current: async () => gate },
      now: () => time,
      ...more,
    }),
  );
const take = async (...events: readonly TwinEvent[]): Promise<ReconcileResult> =>
  (await reconciler().reconcile(ID, events)).result;
/** What a work item brings back. */
const comeBack = (): Promise<ReconcileResult> => take();
const snapshot = (): Snapshot => {
  const known = store.records.get(`${ID.host}|${ID.deviceId}`)?.known;
  if (known?.kind !== 'snapshot') throw new Error(`no snapshot but ${known?.kind}`);
  return restoreSnapshot(ID, known.snapshot);
};
const state = () => snapshot().lastReconcile.status;
const writes = () => hub.calls.filter((call) => call.startsWith('PATCH'));
const acknowledge = (value: number, code = 200) =>
  hub.report({ interval: { value, ac: code, av: hub.twin().desired.version } });

test('a redacted value is not stored when an acknowledgement arrives in parts', async () => {
  const redaction = { paths: [['wifi', 'psk']], key: Buffer.alloc(32, 1) };
  const secretive = reconciler({ redaction });
  await secretive.reconcile(ID, [hub.created(), hub.report({ wifi: { ac: 200 } })]);

  await secretive.reconcile(ID, [hub.report({ wifi: { value: 'hunter2' } })]);

  expect(JSON.stringify(snapshot())).not.toContain('hunter2');
});

describe('the cost of an event', () => {
  test('is no hub operation and one store write for an event in order of a twin in sync', async () => {
    await take(hub.created(), acknowledge(5));
    const before = store.writes;

    await take(hub.report({ temperature: 21 }));

    expect(hub.calls).toEqual([]);
    expect(store.writes - before).toBe(1);
    expect(state()).toBe('inSync');
  });

  test('is no hub operation and no store write for a repeated event', async () => {
    await take(hub.created(), acknowledge(5));
    const before = store.writes;

    expect(await take(...hub.events)).toBe('unchanged');
    expect(hub.calls).toEqual([]);
    expect(store.writes).toBe(before);
  });

  test('is one write and no read for an event in order that needs a correction', async () => {
    await take(hub.created());

    expect(await take(hub.report({ battery: 10 }))).toBe('corrected');
    expect(hub.calls).toEqual(['PATCH {"interval":60}']);
    expect(state()).toBe('pending');
  });

  test('is one read after a gap in the events', async () => {
    await take(hub.created());
    hub.report({ a: 1 });

    await take(hub.report({ b: 1 }));

    expect(hub.calls).toEqual(['GET']);
    expect(snapshot()).toMatchObject({ reported: { a: 1, b: 1 }, unread: undefined });
  });

  test('is one read for a creation event without the whole twin, even if the event is repeated', async () => {
    const { id, time } = hub.created();
    const told: TwinEvent = { kind: 'created', id, time };
    await take(told);
    await take(told, hub.report({ battery: 90 }));

    expect(hub.calls).toEqual(['GET']);
    expect(snapshot()).toMatchObject({
      desired: { interval: 5 },
      reported: { battery: 90 },
      unread: undefined,
    });
  });

  test('is one read for a twin whose creation event was missed', async () => {
    await take(hub.report({ battery: 90 }));

    expect(hub.calls).toEqual(['GET']);
    expect(snapshot()).toMatchObject({ desired: { interval: 5 }, reported: { battery: 90 } });
  });
});

describe('a correction', () => {
  test('is in sync after the device has acknowledged it, and its own event changes nothing', async () => {
    await take(hub.created());
    await take(hub.report({ battery: 10 }));
    const [, , own] = hub.events;

    expect(await take(own as TwinEvent)).toBe('unchanged');
    await take(acknowledge(60));

    expect(state()).toBe('inSync');
    expect(snapshot()).toMatchObject({ writing: undefined, workItem: undefined });
    expect(writes()).toHaveLength(1);
  });

  test('is not repeated when the device rejects it', async () => {
    await take(hub.created());
    await take(hub.report({ battery: 10 }));
    await take(acknowledge(5, 400));
    for (let turn = 0; turn < 5; turn += 1) {
      time = plus(time, 10 * 60_000);
      await take(hub.report({ battery: 10 - turn }));
    }

    expect(state()).toBe('rejected');
    expect(writes()).toHaveLength(1);
  });

  test('reads the etag first when another writer has changed the twin', async () => {
    await take(hub.created());

    expect(await take(hub.edit({ interval: 7 }))).toBe('corrected');
    expect(hub.calls).toEqual(['GET', 'PATCH {"interval":5}']);
  });

  test('is planned again when another writer changes the twin in between', async () => {
    await take(hub.created());
    hub.meanwhile = () => {
      hub.meanwhile = undefined;
      hub.edit({ other: 1 });
    };

    expect(await take(hub.report({ battery: 10 }))).toBe('corrected');
    expect(hub.calls).toEqual(['PATCH {"interval":60}', 'GET', 'PATCH {"interval":60}']);
    expect(snapshot().desired).toEqual({ interval: 60, other: 1 });
  });

  test('is given up for now when another writer changes the twin all the time', async () => {
    await take(hub.created());
    hub.meanwhile = () => {
      if (hub.calls.at(-1)?.startsWith('PATCH')) hub.edit({ other: hub.calls.length });
    };

    expect(await take(hub.report({ battery: 10 }))).toBe('requeued');
    expect(writes()).toHaveLength(3);
    expect(snapshot().workItem?.at).toBeGreaterThan(time);
  });

  test('stops when another writer keeps changing the property', async () => {
    await take(hub.created());
    for (let turn = 0; turn < 8; turn += 1) {
      time = plus(time, 1_000);
      await take(hub.edit({ interval: 7 }));
    }

    expect(state()).toBe('contested');
    expect(writes().length).toBeLessThanOrEqual(4);
    expect(snapshot().workItem?.at).toBeGreaterThan(plus(time, 50 * 60_000));
  });

  test('that the hub refuses is not written again', async () => {
    await take(hub.created());
    hub.failures.push({ code: 'BERTH_HUB_REFUSED' });
    await take(hub.report({ battery: 10 }));
    await take(hub.report({ battery: 9 }));

    expect(state()).toBe('rejected');
    expect(snapshot().lastReconcile.why).toMatch(/the hub refused the value/);
    expect(writes()).toHaveLength(1);
  });

  test('that the hub refuses because of one value is written without that value', async () => {
    const fleet = fleetOf({
      policies: [
        { name: 'good', desired: { good: 1 } },
        { name: 'bad', desired: { bad: 2 } },
        { name: 'fine', desired: { fine: 3 } },
      ],
    });
    hub.refuses = (patch) => 'bad' in patch;
    await reconciler({ fleet }).reconcile(ID, [hub.created()]);
    for (let turn = 0; turn < 5; turn += 1) {
      time = plus(time, 120_000);
      await reconciler({ fleet }).reconcile(ID, []);
    }

    expect(hub.twin().desired.values).toEqual({ interval: 5, good: 1, fine: 3 });
    expect(state()).toBe('rejected');
    expect(snapshot().lastReconcile.why).toMatch(/^bad the hub refused the value/);
    expect(writes().filter((call) => call === 'PATCH {"bad":2}')).toHaveLength(1);
    expect(writes().length).toBeLessThanOrEqual(5);
  });

  test('that the hub stores in another form is written once', async () => {
    const fleet = fleetOf({ policies: [{ name: 'base', desired: { when: '2026-01-01T00:00:00+00:00' } }] });
    hub.keptAs = (patch) => ({ ...patch, when: '2026-01-01T00:00:00Z' });
    await reconciler({ fleet }).reconcile(ID, [hub.created()]);
    for (let turn = 0; turn < 20; turn += 1) {
      time = plus(time, 120_000);
      await reconciler({ fleet }).reconcile(ID, []);
    }

    expect(writes()).toHaveLength(1);
    expect(snapshot().lastReconcile).toMatchObject({
      status: 'rejected',
      why: 'when the hub keeps the value in another form',
    });
  });

  test('that is written again counts as an attempt, even if the answer is lost', async () => {
    const fleet = fleetOf({ policies: [{ name: 'base', desired: { interval: 5 }, attempts: 3 }] });
    // Every write is applied, and its answer is lost.
    hub.meanwhile = () => {
      if (hub.calls.at(-1)?.startsWith('PATCH'))
        hub.failures.push({ code: 'BERTH_HUB_TIMEOUT', applied: true });
    };
    await reconciler({ fleet }).reconcile(ID, [
      hub.created(),
      hub.report({ interval: { value: 1, ac: 500 } }),
    ]);
    for (let turn = 0; turn < 20; turn += 1) {
      time = plus(time, 20 * 60_000);
      // The device reports a failure after each write.
      await reconciler({ fleet }).reconcile(ID, [hub.report({ interval: { value: 1, ac: 500 } })]);
    }

    expect(state()).toBe('rejected');
    expect(writes().length).toBeLessThanOrEqual(4);
  });
});

describe('an instance that dies', () => {
  /** The store fails when the answer is to be kept: the process is gone between the write and its answer. */
  const dieAfterWrite = async () => {
    await take(hub.created());
    hub.meanwhile = () => {
      store.isAway = hub.calls.at(-1)?.startsWith('PATCH') ?? false;
    };
    await expect(take(hub.report({ battery: 10 }))).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
    });
    hub.meanwhile = undefined;
    store.isAway = false;
  };

  test('leaves a work item, and the twin is read before any other write', async () => {
    await dieAfterWrite();
    expect(snapshot()).toMatchObject({
      writing: [{ value: 60 }],
      workItem: { why: 'a correction is being written' },
    });
    time = plus(time, 31_000);

    await comeBack();

    expect(hub.calls).toEqual(['PATCH {"interval":60}', 'GET']);
    expect(snapshot()).toMatchObject({
      writing: undefined,
      workItem: { priority: 'activity' },
      desired: { interval: 60 },
    });
    expect(state()).toBe('pending');
  });

  test('after its write causes no foreign change, because the event of the write is recognised', async () => {
    await dieAfterWrite();

    await take(hub.events.at(-1) as TwinEvent);

    expect(snapshot().paths.interval).toMatchObject({ foreign: [], writes: [{ value: 60, count: 1 }] });
    expect(snapshot()).toMatchObject({ writing: undefined, workItem: { priority: 'activity' } });
  });

  test('before its write has its correction written 30 seconds later', async () => {
    await take(hub.created());
    hub.failures.push({ code: 'BERTH_HUB_TIMEOUT' });
    await take(hub.report({ battery: 10 }));
    time = plus(time, 31_000);

    expect(await comeBack()).toBe('corrected');
    expect(hub.calls).toEqual(['PATCH {"interval":60}', 'GET', 'PATCH {"interval":60}']);
  });
});

describe('two instances', () => {
  test('that get the same events write once', async () => {
    await take(hub.created());
    const event = hub.report({ battery: 10 });
    store.meanwhile = async () => {
      await reconciler().reconcile(ID, [event]);
    };

    await take(event);

    expect(writes()).toHaveLength(1);
    expect(snapshot().desired).toEqual({ interval: 60 });
  });

  test('write once when one of them handles the twin between the intent and the answer of the other', async () => {
    await take(hub.created());
    let other: ReconcileResult | undefined;
    hub.meanwhile = async () => {
      hub.meanwhile = undefined;
      other = await take(hub.report({ temperature: 1 }));
    };

    await take(hub.report({ battery: 10 }));

    expect(other).toBe('stored');
    expect(writes()).toHaveLength(1);
    await take(...hub.events, acknowledge(60));
    time = plus(time, 31_000);
    await comeBack();
    expect(state()).toBe('inSync');
    expect(writes()).toHaveLength(1);
  });
});

describe('a failure of the hub', () => {
  test.each([
    ['throttled', { code: 'BERTH_HUB_THROTTLED' }, 2_000, 6_000],
    ['throttled with a Retry-After', { code: 'BERTH_HUB_THROTTLED', retryAfterMs: 60_000 }, 60_000, 130_000],
    ['unavailable', { code: 'BERTH_HUB_UNAVAILABLE' }, 2_000, 6_000],
    ['timed out', { code: 'BERTH_HUB_TIMEOUT' }, 2_000, 6_000],
    ['unauthorised', { code: 'BERTH_HUB_UNAUTHORIZED' }, 300_000, 300_000],
    ['out of quota', { code: 'BERTH_HUB_QUOTA_EXCEEDED' }, 15 * 60_000, 23 * 60_000],
  ] as const)('leaves a work item and is not an error of the batch: %s', async (_, failure, least, most) => {
    await take(hub.created());
    hub.failures.push(failure);

    expect(await take(hub.report({ battery: 10 }))).toBe('requeued');

    const wait = (snapshot().workItem?.at ?? 0) - time;
    expect(wait).toBeGreaterThanOrEqual(least);
    expect(wait).toBeLessThanOrEqual(most);
    time = plus(time, wait);
    expect(await comeBack()).toBe('corrected');
    expect(snapshot()).toMatchObject({ workItem: { priority: 'activity' }, suspended: undefined });
  });

  test('leads to a longer wait each time and is shown in the status', async () => {
    hub.failures.push(...Array.from({ length: 6 }, () => ({ code: 'BERTH_HUB_UNAVAILABLE' as const })));
    await take(hub.report({ battery: 10 }));
    const waits: number[] = [];
    while (hub.failures.length > 0) {
      waits.push((snapshot().workItem?.at ?? 0) - time);
      expect(state()).toBe('unknown');
      time = snapshot().workItem?.at ?? EPOCH;
      await comeBack();
    }

    expect(waits).toHaveLength(5);
    waits.slice(1).forEach((wait, index) => {
      expect(wait).toBeGreaterThan((waits[index] ?? 0) * 0.6);
    });
    expect((waits[4] ?? 0) / (waits[0] ?? 1)).toBeGreaterThan(8);
  });

  test('by a spent quota suspends the twin', async () => {
    await take(hub.created());
    hub.failures.push({ code: 'BERTH_HUB_QUOTA_EXCEEDED' });
    await take(hub.report({ battery: 10 }));

    expect(state()).toBe('suspended');
  });

  test('does not occur after the time of the batch is over, because the hub is not asked', async () => {
    await take(hub.created());

    expect(
      await reconciler({ until: plus(time, -1) }).reconcile(ID, [hub.report({ battery: 10 })]),
    ).toMatchObject({
      result: 'requeued',
    });
    expect(
      await reconciler({ until: plus(time, -1) }).reconcile(ID, [hub.edit({ interval: 9 })]),
    ).toMatchObject({
      result: 'requeued',
    });
    expect(hub.calls).toEqual([]);
  });
});

describe('without a permit', () => {
  const NONE: NoPermit = { kind: 'noPermit', at: plus(T0, 60_000), why: 'used up', isQuota: false };
  /** Permits for all operations but these. */
  const without = (...missing: readonly PermittedOperation[]): HubBudget => ({
    permit: async (_, operation) => (missing.includes(operation) ? NONE : { kind: 'granted' }),
    permitApply: async () => (missing.includes('apply') ? NONE : { kind: 'granted' }),
  });

  test('for a write, reconciling stores no intent and requeues the twin at the time of the next permit', async () => {
    await take(hub.created());
    const reconciled = await reconciler({ budget: without('write') }).reconcile(ID, [
      hub.report({ battery: 10 }),
    ]);

    expect(reconciled).toMatchObject({ result: 'requeued', lacksPermit: true });
    expect(snapshot()).toMatchObject({ writing: undefined, workItem: { at: NONE.at, why: 'used up' } });
    expect(hub.calls).toEqual([]);
  });

  test('for a read, reconciling remembers the gap in the events and requeues the twin', async () => {
    await take(hub.created());
    hub.report({ a: 1 });
    const reconciled = await reconciler({ budget: without('read') }).reconcile(ID, [hub.report({ b: 1 })]);

    expect(reconciled).toMatchObject({ result: 'requeued', lacksPermit: true });
    expect(snapshot()).toMatchObject({ unread: expect.anything(), workItem: { at: NONE.at } });
    expect(hub.calls).toEqual([]);
  });

  test('for the status of the device, reconciling requeues only this twin', async () => {
    await take(hub.created());
    hub.status = 'missing';
    const reconciled = await reconciler({ budget: without('identity') }).reconcile(ID, [
      hub.report({ battery: 10 }),
    ]);

    expect(reconciled.result).toBe('requeued');
    expect(reconciled.lacksPermit).toBeUndefined();
    expect(hub.calls).not.toContain('identity');
  });

  test('reconciling requeues the twin by the clock of the hub', async () => {
    const hourSlow = { budget: without('write'), hubNow: () => plus(time, -3_600_000) };
    await reconciler(hourSlow).reconcile(ID, [hub.created(), hub.report({ battery: 10 })]);

    expect(snapshot().workItem?.at).toBe(NONE.at - 3_600_000);
  });
});

describe('a device that is gone or disabled', () => {
  test('leaves a tombstone after its deletion event, and its modules are removed too', async () => {
    const module = { ...ID, moduleId: 'm' };
    const created = hub.created();
    await take(created);
    if (created.kind === 'create') await reconciler().reconcile(module, [{ ...created, id: module }]);

    expect(await take(hub.deleted())).toBe('deleted');

    expect([...store.records.values()].map(({ known }) => known.kind)).toEqual(['deleted', 'deleted']);
    expect(await take(...hub.events)).toBe('unchanged');
  });

  test('is noticed after a write, when the registry says that it is missing', async () => {
    await take(hub.created());
    const event = hub.report({ battery: 10 });
    hub.status = 'missing';

    expect(await take(event)).toBe('deleted');
    expect(hub.calls).toEqual(['PATCH {"interval":60}', 'identity']);
  });

  test('is suspended and checked again when it is only disabled', async () => {
    await take(hub.created());
    const event = hub.report({ battery: 10 });
    hub.status = 'disabled';
    await take(event);
    expect(state()).toBe('suspended');
    hub.status = 'enabled';
    time = snapshot().workItem?.at ?? EPOCH;

    await comeBack();

    expect(state()).toBe('pending');
    expect(hub.twin().desired.values).toEqual({ interval: 60 });
  });
});

describe('the gate', () => {
  const closed: Gate = { ...OPEN_GATE, closedFor: () => 'paused by ann: freeze' };

  test('stops writes to a paused hub, while events are applied and the correction follows after the pause', async () => {
    await take(hub.created());

    expect(await reconciler({ gate: closed }).reconcile(ID, [hub.report({ battery: 10 })])).toMatchObject({
      result: 'requeued',
    });
    expect(hub.calls).toEqual([]);
    expect(snapshot().lastReconcile).toMatchObject({
      status: 'drifted',
      why: expect.stringContaining('paused by ann'),
    });
    time = snapshot().workItem?.at ?? EPOCH;

    expect(await comeBack()).toBe('corrected');
  });

  test('stops a write when the pause starts while its intent is stored', async () => {
    await take(hub.created());
    let gate = OPEN_GATE;
    store.meanwhile = () => {
      gate = closed;
    };

    const event = hub.report({ battery: 10 });
    await reconciler({ gate: { current: async () => gate } }).reconcile(ID, [event]);

    expect(writes()).toEqual([]);
    expect(snapshot()).toMatchObject({ writing: undefined, workItem: { why: 'paused by ann: freeze' } });
  });

  test('stops all writes half a minute after a pause, even if the row is unreadable and the tables are slow', async () => {
    let row = controlSchema.parse({});
    let isAway = false;
    const read = async () => {
      if (isAway) throw new Error('away');
      return row;
    };
    const gate = new WriteGate({ read }, 'b', () => time);
    await take(hub.created());
    await gate.current();
    row = { ...row, fleet: { author: 'ann', reason: 'freeze', at: time } };
    isAway = true;
    // The reading of before serves still, but not any more once the intent has been stored.
    time = plus(time, 15_000);
    store.meanwhile = () => {
      time = plus(time, 15_000);
    };

    await reconciler({ gate }).reconcile(ID, [hub.report({ battery: 10 })]);

    expect(writes()).toEqual([]);
    expect(snapshot().workItem?.why).toMatch(/the control row cannot be read$/);
  });

  test('stops writes of a paused policy, which still owns its paths', async () => {
    await take(hub.created());
    const gate: Gate = {
      ...OPEN_GATE,
      holdOf: ({ name }) => (name === 'saver' ? { why: 'paused', until: undefined } : undefined),
    };

    await reconciler({ gate }).reconcile(ID, [hub.report({ battery: 10 })]);

    expect(hub.calls).toEqual([]);
  });

  test('stops an older package, which applies events and leaves everything else to a newer package', async () => {
    await take(hub.created());
    const gate = { ...OPEN_GATE, isOutdated: true };

    expect(await reconciler({ gate }).reconcile(ID, [hub.report({ battery: 10 })])).toMatchObject({
      result: 'requeued',
    });
    expect(hub.calls).toEqual([]);
    expect(snapshot()).toMatchObject({
      reported: { battery: 10 },
      workItem: { why: 'a newer package reconciles it' },
    });
    expect(await comeBack()).toBe('corrected');
  });
});

describe('changed policies that are compared without the hub', () => {
  const stricter = fleetOf({ policies: [{ name: 'base', desired: { interval: 4 } }] });
  const workItem = (tries: number) =>
    ({ priority: 'drift', at: plus(T0, 3_600_000), why: 'a fight', tries }) as const;

  test.each([
    ['at once, whatever an older policy waited for', 0, T0],
    ['after a failure, at the time that the failure requires', 1, plus(T0, 3_600_000)],
  ])('make the twin due %s', async (_, tries, at) => {
    await store.save(await store.load(ID), {
      kind: 'snapshot',
      snapshot: { ...snapshotOf({ desired: { interval: 5 } }), workItem: workItem(tries) },
    });

    expect(await reconciler({ fleet: stricter }).resync(ID)).toMatchObject({ result: 'requeued' });
    expect(hub.calls).toEqual([]);
    expect(snapshot()).toMatchObject({ workItem: { at }, lastReconcile: { status: 'drifted' } });
  });

  test('need no work when they lead to the same values', async () => {
    await take(hub.created(), acknowledge(5));
    const before = store.writes;
    const fleet = fleetOf({ policies: [{ name: 'base', desired: { interval: 5 } }] });

    expect(await reconciler({ fleet }).resync(ID)).toMatchObject({ result: 'unchanged' });
    expect(store.writes).toBe(before);
  });
});

test('a newly redacted value is not stored after the policies have changed', async () => {
  const twin = { ...snapshotOf({ desired: { interval: 5 } }), reported: { wifi: { psk: 'hunter2' } } };
  await store.save(await store.load(ID), { kind: 'snapshot', snapshot: twin });
  const redaction = { paths: [['wifi', 'psk']], key: Buffer.alloc(32, 1) };

  await reconciler({ redaction }).resync(ID);

  expect(JSON.stringify([...store.records.values()])).not.toContain('hunter2');
});

test('only an unavailable store makes reconciling fail, and no event is lost', async () => {
  await take(hub.created());
  store.isAway = true;
  const event = hub.report({ battery: 10 });
  await expect(take(event)).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
  store.isAway = false;

  expect(await take(event)).toBe('corrected');
});
