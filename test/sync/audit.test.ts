import { beforeEach, describe, expect, test } from '@jest/globals';
import { BudgetShare, type HubBudget, RESYNC_PART } from '../../src/hub/budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { HubError, type HubErrorCode, type TwinPage } from '../../src/hub/port.ts';
import type { HostName } from '../../src/iot-hub/host-name.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { auditHubs } from '../../src/sync/resync/audit.ts';
import { auditName, requestName } from '../../src/sync/resync/audit-progress.ts';
import type { FleetLiveness } from '../../src/sync/resync/watch-liveness.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { type Instant, instantOf, NEVER } from '../../src/time/instant.ts';
import { adoptTwin } from '../../src/twin/events/apply-event.ts';
import { NO_REDACTION, type Redaction } from '../../src/twin/events/redact.ts';
import type { Twin } from '../../src/twin/snapshot/twin.ts';
import { edgeFleet } from '../edge/edge-devices.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { at, fleetOf, ID, snapshotOf, T0, twinOf } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { memoryProgress, type ResyncParts, resyncContextOf } from './sync-context.ts';

const FLEET = fleetOf({ policies: [{ name: 'base', desired: { interval: 5 } }] });
const MINUTE = 60_000;

/** A hub of which only queries and reads are asked: always the same twin, of so many devices. */
class ListedHub extends MemoryHub {
  pages = 0;
  deviceIds: readonly string[] = [];
  same: Twin = twinOf();
  continuation: string | undefined;

  override async listTwins(): Promise<TwinPage> {
    this.pages += 1;
    const { version, etag } = this.same;
    const twins = this.deviceIds.map((deviceId) => ({ id: { ...ID, deviceId }, version, etag }));
    return { twins, continuation: this.continuation, readAt: instantOf(time) };
  }

  override async readTwin(): Promise<Twin> {
    return this.same;
  }
}

let time: EpochMs;
let hub: ListedHub;
let store: MemoryTwinStore;
let progress: Map<string, JsonValue>;
let told: string[];
beforeEach(() => {
  time = T0;
  hub = new ListedHub(() => time);
  store = new MemoryTwinStore();
  progress = new Map();
  told = [];
});
const run = (
  more: Partial<ResyncParts> = {},
  mayGoOn: () => boolean = () => true,
  withoutDevices: ReadonlySet<HostName> = new Set(),
  liveness: FleetLiveness = new Map(),
): Promise<number> =>
  auditHubs(
    resyncContextOf({
      fleet: FLEET,
      hubs: hub,
      twins: store,
      progress: memoryProgress(progress),
      gate: { current: async () => ({ ...OPEN_GATE, generation: undefined }) },
      now: () => time,
      warn: (message) => void told.push(message),
      ...more,
    }),
    mayGoOn,
    { withoutDevices, liveness },
  );

test('an audit lists modules if the fleet file has deployments of IoT Edge, because their creation events may be lost', async () => {
  const asked: string[] = [];
  hub.listTwins = async (_host?: unknown, of?: string) => {
    asked.push(String(of));
    const id = { ...ID, moduleId: of === 'modules' ? '$edgeAgent' : undefined };
    const { version, etag } = hub.same;
    return { twins: [{ id, version, etag }], continuation: undefined, readAt: instantOf(time) };
  };
  const fleet = edgeFleet([{ name: 'sensor', modules: { sensor: { image: 'a.io/sensor:1' } } }]);

  await run({ fleet });

  expect(asked).toEqual(['devices', 'modules']);
  expect(progress.get(auditName(ID.host))).toMatchObject({ phase: 'done', missed: 2 });
});

describe('the first audit of a hub that has no devices', () => {
  const EMPTY = new Set([ID.host]);

  test('is done at once, without a query', async () => {
    expect(await run({}, undefined, EMPTY)).toBe(0);

    expect(hub.pages).toBe(0);
    expect(progress.get(auditName(ID.host))).toMatchObject({ phase: 'done', startedAt: T0, seen: 0 });
  });

  test('is followed by a query after a week', async () => {
    await run({}, undefined, EMPTY);
    time = plus(T0, 7 * 24 * 60 * MINUTE);

    await run({}, undefined, EMPTY);

    expect(hub.pages).toBe(1);
  });

  test.each<[string, () => Promise<unknown>]>([
    [
      'a twin of the hub is stored',
      async () => store.save(await store.load(ID), { kind: 'snapshot', snapshot: snapshotOf() }),
    ],
    [
      'an operator asked for the audit',
      async () => progress.set(requestName(ID.host), { at: T0, author: 'ann', reason: 'test' }),
    ],
    [
      'an audit has begun',
      async () => {
        await run({}, () => false);
      },
    ],
  ])('lists the twins of the hub if %s', async (_, prepare) => {
    await prepare();

    await run({}, undefined, EMPTY);

    expect(hub.pages).toBe(1);
  });
});

test('an audit lists its pages although a permit for a query takes a long time', async () => {
  const budget: HubBudget = new BudgetShare({
    share: 'resync',
    part: RESYNC_PART,
    counts: { reserve: async (_, messages) => messages },
    pauses: new HubPauses(() => 0),
    now: () => time,
    wait: async (ms) => {
      time = plus(time, ms);
    },
  });
  hub.continuation = 'more';
  const until = plus(T0, 2 * MINUTE);

  await run({ budget, until }, () => time < until);

  expect(hub.pages).toBeGreaterThan(0);
  expect(time).toBeLessThanOrEqual(until);
});

test.each<[string, Redaction, number]>([
  [
    'counts as equal when its path is redacted now',
    { paths: [['wifi', 'psk']], key: Buffer.alloc(32, 1) },
    0,
  ],
  ['counts as different when nothing is redacted and the hub has another value', NO_REDACTION, 1],
])('a stored value from before a redaction setting %s', async (_, redaction, part) => {
  hub.deviceIds = Array.from({ length: 600 }, (_, index) => `pump-${index}`);
  hub.same = twinOf({ reported: { wifi: { psk: 'of the hub' } } });
  for (const deviceId of hub.deviceIds) {
    const id = { ...ID, deviceId };
    const stored = twinOf({ reported: { wifi: { psk: 'of before' } } });
    const snapshot = adoptTwin(snapshotOf({ id, version: 0 }), stored, at(0), []);
    await store.save(await store.load(id), { kind: 'snapshot', snapshot });
  }
  time = plus(time, 60 * MINUTE);

  expect(await run({ redaction })).toBe(600);

  const found = progress.get(auditName(ID.host)) as { sampled: number; mismatched: number };
  expect(found.sampled).toBeGreaterThan(0);
  expect(found.mismatched).toBe(part * found.sampled);
  expect(told.length > 0).toBe(part > 0);
});

test.each<HubErrorCode>(['BERTH_HUB_NOT_FOUND', 'BERTH_HUB_REFUSED', 'BERTH_HUB_UNAVAILABLE'])(
  'an audit goes on behind a twin whose read always fails with %s, and compares it no more',
  async (code) => {
    hub.deviceIds = Array.from({ length: 600 }, (_, index) => `pump-${index}`);
    for (const deviceId of hub.deviceIds) {
      const id = { ...ID, deviceId };
      const snapshot = adoptTwin(snapshotOf({ id, version: 0 }), hub.same, at(0), []);
      await store.save(await store.load(id), { kind: 'snapshot', snapshot });
    }
    time = plus(time, 60 * MINUTE);
    hub.readTwin = async () => {
      throw new HubError(code, 'no', { host: ID.host });
    };

    expect(await run()).toBe(600);
    expect(progress.get(auditName(ID.host))).toMatchObject({ phase: 'done', sampled: 0, mismatched: 0 });
  },
);

describe('a future time that is stored for a twin', () => {
  const FUTURE = '9999-12-31T23:59:59.0000000Z' as Instant;

  test.each([
    ['newest change', { asOf: FUTURE }],
    ['creation', { bornAt: FUTURE }],
  ])('makes the weekly audit read the twin when it is the time of its %s', async (_, wrong) => {
    hub.deviceIds = [ID.deviceId];
    await store.save(await store.load(ID), { kind: 'snapshot', snapshot: snapshotOf(wrong) });

    await run();

    expect((await store.load(ID)).known).toMatchObject({
      snapshot: { unread: { isResync: true }, workItem: { at: expect.any(Number) } },
    });
  });

  test('makes the weekly audit read the twin when it is the time of its deletion and the hub has the twin', async () => {
    hub.deviceIds = [ID.deviceId];
    await store.save(await store.load(ID), { kind: 'deleted', at: FUTURE });

    await run();

    expect((await store.load(ID)).known).toMatchObject({ snapshot: { unread: { isResync: true } } });
  });
});

test.each([
  ['an hour fast', 60 * MINUTE],
  ['an hour slow', -60 * MINUTE],
])('an instance whose clock is %s lists known twins without a read', async (_, ahead) => {
  hub.deviceIds = [ID.deviceId];
  const snapshot = { ...snapshotOf(), asOf: at(-7_200), bornAt: at(-7_200), version: hub.same.version };
  await store.save(await store.load(ID), { kind: 'snapshot', snapshot });

  await run({ now: () => plus(time, ahead) });

  expect((await store.load(ID)).known).toMatchObject({ snapshot: { unread: undefined } });
});

test('an instance whose clock is an hour fast does not store its own time in a twin that the audit has found', async () => {
  hub.deviceIds = [ID.deviceId];

  await run({ now: () => plus(time, 60 * MINUTE) });

  const { known } = await store.load(ID);
  expect(known).toMatchObject({ kind: 'snapshot', snapshot: { unread: { since: NEVER }, asOf: NEVER } });
});
