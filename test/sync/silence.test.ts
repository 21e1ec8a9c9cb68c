import { beforeEach, describe, expect, test } from '@jest/globals';
import { BudgetShare, RESYNC_PART } from '../../src/hub/budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import type { HubPort, TwinPage } from '../../src/hub/port.ts';
import { HubError } from '../../src/hub/port.ts';
import type { HostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import type { HubLiveness } from '../../src/liveness/liveness.ts';
import { NO_READER } from '../../src/liveness/reader.ts';
import { auditHubs } from '../../src/sync/resync/audit.ts';
import { watchLiveness } from '../../src/sync/resync/watch-liveness.ts';
import { processQueue } from '../../src/sync/resync/work-queue.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { adoptTwin } from '../../src/twin/events/apply-event.ts';
import type { Twin, TwinId } from '../../src/twin/snapshot/twin.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, snapshotOf, T0, twinOf } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { memoryProgress, resyncContextOf } from './sync-context.ts';

/* What happens to the twins of a silent hub, on virtual time and with the budget of an S1 unit. */

const FLEET = fleetOf({ policies: [{ name: 'base', desired: { interval: 5 } }] });
const GATE = { ...OPEN_GATE, generation: undefined };
const MINUTE = 60_000;
const RUN_MS = 50_000;
const PAGE = 100;

let time: EpochMs;

/** A hub with many twins and no events. */
class SilentHub extends MemoryHub implements HubPort {
  readonly twins = new Map<string, Twin>();
  readonly corrected = new Map<string, EpochMs>();
  pages = 0;

  add(deviceId: string): Twin {
    const twin = twinOf({ desired: { interval: 5 } });
    this.twins.set(deviceId, twin);
    return twin;
  }

  /** A change by another writer. */
  spoil(deviceId: string): void {
    this.#write(deviceId, { interval: 99 });
    this.corrected.delete(deviceId);
  }

  override async listTwins(_?: HostName, __?: unknown, continuation?: string): Promise<TwinPage> {
    this.pages += 1;
    const from = Number(continuation ?? 0);
    const all = [...this.twins];
    const twins = all.slice(from, from + PAGE).map(([deviceId, { version, etag }]) => ({
      id: { ...ID, deviceId },
      version,
      etag,
    }));
    const isLast = from + PAGE >= all.length;
    return { twins, continuation: isLast ? undefined : String(from + PAGE), readAt: instantOf(time) };
  }

  override async readTwin(id?: TwinId): Promise<Twin> {
    return { ...this.#twin(id?.deviceId), readAt: instantOf(time) };
  }

  override async patchDesired({ deviceId }: TwinId, patch: JsonObject): Promise<Twin> {
    this.corrected.set(deviceId, time);
    return { ...this.#write(deviceId, patch), readAt: instantOf(time) };
  }

  #write(deviceId: string, values: JsonObject): Twin {
    const { version, desired } = this.#twin(deviceId);
    const lastUpdated = instantOf(time);
    const desiredMetadata = { $lastUpdated: lastUpdated, interval: { $lastUpdated: lastUpdated } };
    const twin = twinOf({
      version: version + 1,
      etag: `etag ${version + 1}`,
      desired: { ...desired.values, ...values },
      desiredVersion: desired.version + 1,
      desiredMetadata,
      lastUpdated,
    });
    this.twins.set(deviceId, twin);
    return twin;
  }

  #twin(deviceId = ''): Twin {
    const twin = this.twins.get(deviceId);
    if (twin === undefined) throw new Error(`no twin ${deviceId}`);
    return twin;
  }
}

let hub: SilentHub;
let store: MemoryTwinStore;
let progress: Map<string, JsonValue>;
let run: (liveness?: HubLiveness) => Promise<void>;
beforeEach(() => {
  time = T0;
  hub = new SilentHub(() => time);
  store = new MemoryTwinStore();
  progress = new Map();
  let spent = 0;
  const budget = new BudgetShare({
    share: 'resync',
    part: RESYNC_PART,
    counts: {
      reserve: async (_, messages, limit) => {
        const granted = Math.min(messages, limit - spent);
        spent += granted;
        return granted;
      },
    },
    pauses: new HubPauses(() => 0),
    now: () => time,
    wait: async (ms) => {
      time = plus(time, ms);
    },
  });
  run = async (liveness = silent) => {
    const until = plus(time, RUN_MS);
    const context = resyncContextOf({
      fleet: FLEET,
      hubs: hub,
      twins: store,
      progress: memoryProgress(progress),
      gate: { current: async () => GATE },
      now: () => time,
      budget,
      until,
    });
    const mayGoOn = () => time < until;
    await processQueue(context.hosts, context, mayGoOn);
    await auditHubs(context, mayGoOn, {
      withoutDevices: new Set(),
      liveness: new Map([[ID.host, liveness]]),
    });
    time = epochMs(Math.max(time, plus(until, MINUTE - RUN_MS)));
  };
});
const silent: HubLiveness = {
  state: 'silent',
  since: T0,
  why: 'no events',
  watchedSince: T0,
  assessedAt: T0,
  silence: { since: T0, noticedAt: T0 },
};

async function open(count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `pump-${index}`);
  for (const deviceId of names) {
    const id = { ...ID, deviceId };
    const snapshot = adoptTwin(snapshotOf({ id, version: 0 }), hub.add(deviceId), instantOf(T0), []);
    await store.save(await store.load(id), { kind: 'snapshot', snapshot });
  }
  return names;
}

describe('a silent hub with 10,000 devices and the default budget of one S1 unit', () => {
  test('has every change corrected within an hour, those just after a page was listed too', async () => {
    const names = await open(10_000);
    // Wrong before the silence is noticed, which takes 22 minutes at most.
    const first = names.filter((_, index) => index % 100 === 99);
    for (const name of first) hub.spoil(name);
    const noticedAt = time;
    while (hub.corrected.size < first.length && time < plus(noticedAt, 2 * 60 * MINUTE)) await run();
    expect(hub.corrected.size).toBe(first.length);
    expect(Math.max(...hub.corrected.values()) - noticedAt).toBeLessThan(38 * MINUTE);

    const changedAt = time;
    for (const name of first) hub.spoil(name);
    while (hub.corrected.size < first.length && time < plus(changedAt, 2 * 60 * MINUTE)) await run();
    expect(hub.corrected.size).toBe(first.length);
    expect(Math.max(...hub.corrected.values()) - changedAt).toBeLessThan(60 * MINUTE);
  }, 300_000);
});

test('a twin that changed a minute ago is read at once while its hub is silent, and not while the hub is live', async () => {
  await open(3);
  time = plus(T0, MINUTE);
  hub.spoil('pump-1');

  await run({ ...silent, state: 'live', silence: undefined });
  expect(hub.pages).toBe(1);
  await run({ ...silent, state: 'live', silence: undefined });
  expect([...hub.corrected.keys()]).toEqual([]);

  for (let minute = 0; minute < 11; minute += 1)
    await run({ ...silent, silence: { since: time, noticedAt: time } });
  expect([...hub.corrected.keys()]).toEqual(['pump-1']);
});

describe('the heartbeat of a hub', () => {
  const watch = async (failing: Pick<HubPort, 'beat'>['beat'], before: Partial<HubLiveness> = {}) => {
    const stored: HubLiveness[] = [];
    const context = resyncContextOf({
      fleet: FLEET,
      hubs: Object.assign(hub, { beat: failing }),
      twins: store,
      now: () => time,
    });
    await watchLiveness(
      context,
      {
        store: {
          read: async () => Promise.reject(new Error('was read before')),
          writeHub: async (_, liveness) => void stored.push(liveness),
          writeRun: async () => {},
        },
        look: async () => Promise.reject(new Error('was looked at before')),
        flush: async () => {},
      },
      {
        stored: {
          ranAt: undefined,
          reader: NO_READER,
          hubs: new Map([
            [
              ID.host,
              {
                ...silent,
                state: 'quiet',
                silence: undefined,
                watchedSince: plus(T0, -60 * MINUTE),
                ...before,
              },
            ],
          ]),
          evidence: new Map(),
        },
        looked: {
          kind: 'positions',
          partitions: new Map([['0', { last: 1, isEmpty: false, checkpoint: 1 }]]),
        },
      },
    );
    return stored[0]?.beats;
  };
  const refused = (code: HubError['code']) => async () =>
    Promise.reject(new HubError(code, `${ID.host} answered PATCH with 401.`, { host: ID.host }));

  test('is stored with its time when the hub takes it', async () => {
    expect(await watch(async () => {})).toEqual({ result: 'sent', exists: true, at: T0, sent: [T0] });
  });

  test('is missing when the hub does not find its identity, with the command to run', async () => {
    expect(await watch(refused('BERTH_HUB_NOT_FOUND'))).toMatchObject({
      result: 'missing',
      exists: false,
      why: expect.stringContaining(`berth hub prepare ${ID.host}`),
      sent: [],
    });
  });

  test.each<[string, HubError['code']]>([
    ['the key or the role of the app is gone', 'BERTH_HUB_UNAUTHORIZED'],
    ['the hub is disabled or unreachable', 'BERTH_HUB_UNAVAILABLE'],
  ])('fails when %s, with the code', async (_, code) => {
    expect(await watch(refused(code))).toMatchObject({
      result: 'failed',
      why: expect.stringContaining(code),
    });
  });
});
