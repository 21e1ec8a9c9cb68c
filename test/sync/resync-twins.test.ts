import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { controlSchema, type Scope } from '../../src/control/control.ts';
import { withoutPause, withPause } from '../../src/control/pauses.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { ControlStore } from '../../src/store/state/control.ts';
import { ProgressStore } from '../../src/store/state/progress-store.ts';
import { openTables } from '../../src/store/tables/tables.ts';
import { TwinStore } from '../../src/store/twins/twin-store.ts';
import { type Gate, gateOf } from '../../src/sync/reconcile/write-gate.ts';
import { resyncTwins } from '../../src/sync/resync/resync-twins.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { storageAccount } from '../support/storage-account.ts';
import { fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { resyncContextOf } from './sync-context.ts';

const FLEET = fleetOf({ policies: [{ name: 'interval', desired: { interval: 5 } }] });
const POLICY: Scope = { kind: 'policy', name: 'interval' };
const SECOND = 1_000;

let storage: string;
let control: ControlStore;
let progress: ProgressStore;
let twins: TwinStore;
let time: EpochMs;
beforeAll(async () => {
  storage = await storageAccount();
  const connectionString = storage;
  const tables = openTables({ kind: 'connectionString', connectionString });
  control = new ControlStore(tables.state);
  progress = new ProgressStore(tables.state);
  twins = new TwinStore(tables.twins);
});
beforeEach(async () => {
  time = T0;
  await control.update(() => controlSchema.parse({}));
  await progress.write('resync', null);
  await twins.save(await twins.load(ID), {
    kind: 'snapshot',
    snapshot: snapshotOf({ desired: { interval: 9 } }),
  });
});

const gate = async (): Promise<Gate> => gateOf(await control.read(), '');
const contextBy = (by: Gate) =>
  resyncContextOf({
    fleet: FLEET,
    hubs: new MemoryHub(() => time, {}),
    twins,
    progress,
    gate: { current: async () => by },
    now: () => time,
  });
/** What a run of `resyncFleet` does that goes by this reading of the control row. */
const run = (by: Gate) => resyncTwins(contextBy(by), () => true);
const snapshot = async (): Promise<Snapshot> => {
  const { known } = await twins.load(ID);
  if (known.kind !== 'snapshot') throw new Error(`no snapshot but ${known.kind}`);
  return known.snapshot;
};
const pause = () =>
  control.update((row) => withPause(row, POLICY, { author: 'ann', reason: 'freeze', at: time }));
const resume = () =>
  control.update((row) => withoutPause(row, POLICY, { author: 'ann', reason: 'over', at: time }));

describe('a resync of every twin', () => {
  test('applies a new fleet file once and continues where it stopped', async () => {
    expect(await run(await gate())).toBe(1);
    expect((await snapshot()).workItem).toMatchObject({ at: T0 });
    expect(await run(await gate())).toBe(0);
  });

  test('finds corrections that a policy held before it was resumed', async () => {
    await pause();
    await run(await gate());
    expect(await snapshot()).toMatchObject({
      workItem: undefined,
      lastReconcile: { status: 'drifted', isHeld: true },
    });

    time = plus(time, 3_600 * SECOND);
    await resume();
    time = plus(time, 90 * SECOND);
    await run(await gate());

    expect((await snapshot()).workItem).toMatchObject({ at: time });
  });

  test('finds held corrections when the first run had read the row before the resume', async () => {
    await pause();
    const before = await gate();
    await run(before);
    await resume();
    time = plus(time, 5 * SECOND);
    await run(before);
    time = plus(time, 90 * SECOND);

    await run(await gate());

    expect((await snapshot()).workItem).toBeDefined();
  });

  test('finds held corrections when another instance still uses the earlier row for a while', async () => {
    await pause();
    const before = await gate();
    await run(before);
    await resume();
    time = plus(time, 10 * SECOND);
    await run(await gate());
    time = plus(time, 20 * SECOND);
    await contextBy(before).reconciler.reconcile(ID, []);
    time = plus(time, 60 * SECOND);

    await run(await gate());

    expect((await snapshot()).workItem).toBeDefined();
  });
});

test('the twins of all hubs are planned in turn, so that no hub waits until those of another are planned', async () => {
  const other = hostName('other.azure-devices.net');
  const planned: string[] = [];
  const ids = Array.from({ length: 200 }, (_, index) => ({
    ...ID,
    host: index % 2 === 0 ? ID.host : other,
    deviceId: `pump-${index}`,
  }));
  const memory = new MemoryTwinStore();
  for (const id of ids)
    await memory.save(await memory.load(id), { kind: 'snapshot', snapshot: snapshotOf({ id }) });
  const resync = async ({ host }: typeof ID) => {
    planned.push(host);
    return { result: 'requeued', known: { kind: 'nothing' } } as const;
  };

  await resyncTwins(
    resyncContextOf({
      fleet: FLEET,
      hosts: [ID.host, other],
      hubs: new MemoryHub(() => T0, {}),
      twins: memory,
      gate: {
        current: async () => ({ ...(await gate()), generation: { number: 1, since: plus(T0, -60_000) } }),
      },
      reconciler: { reconcile: resync, resync },
      now: () => T0,
    }),
    () => true,
  );

  expect(planned).toHaveLength(200);
  const ofOther = planned.slice(0, 100).filter((host) => host === other).length;
  expect(ofOther).toBeGreaterThan(30);
  expect(ofOther).toBeLessThan(70);
});
