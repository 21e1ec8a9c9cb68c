import { beforeEach, describe, expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import { BudgetShare, RESYNC_PART, SYNC_PART } from '../../src/hub/budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { twinUpdatesPerSecond } from '../../src/iot-hub/throttles.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { WriteClaims } from '../../src/sync/resync/write-claims.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';
import { memoryProgress } from './sync-context.ts';

const HOST = ID.host;
const OTHER = hostName('other.azure-devices.net');
const OWN = SYNC_PART / 4;
const SECOND = 1_000;

let now: EpochMs;
let stored: Map<string, JsonValue>;
let isAway: boolean;
let reads: number;
const progress = () => {
  const memory = memoryProgress(stored);
  return {
    ...memory,
    read: async (name: string) => {
      reads += 1;
      if (isAway) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
      return memory.read(name);
    },
  };
};
const open = () => new WriteClaims(progress, () => now);
beforeEach(() => {
  now = T0;
  stored = new Map();
  isAway = false;
  reads = 0;
});
const pass = (seconds: number) => {
  now = plus(now, seconds * SECOND);
};

describe('partitions', () => {
  test('have their own part of the twin updates without a claim, and read the claims every 10 seconds', async () => {
    const instance = open();

    for (let second = 0; second < 10; second += 1) {
      expect(await instance.partitionPart(HOST, OWN)).toBe(OWN);
      pass(1);
    }
    expect(reads).toBe(1);
    pass(1);
    await instance.partitionPart(HOST, OWN);
    expect(reads).toBe(2);
  });

  test('leave the writes of a claimed hub to resyncFleet on another instance, and write to other hubs', async () => {
    await open().claim(HOST);
    const instance = open();

    expect(await instance.partitionPart(HOST, OWN)).toBe(0);
    expect(await instance.partitionPart(OTHER, OWN)).toBe(OWN);
  });

  test('write again after the claim is given back, and after a claim that is not renewed', async () => {
    const [resync, instance] = [open(), open()];
    await resync.claim(HOST);
    await resync.release(HOST);
    expect(await instance.partitionPart(HOST, OWN)).toBe(OWN);

    await resync.claim(HOST);
    pass(119);
    expect(await instance.partitionPart(HOST, OWN)).toBe(0);
    pass(1);
    expect(await instance.partitionPart(HOST, OWN)).toBe(OWN);
  });

  test('do not write when the claims cannot be read for 20 seconds', async () => {
    const instance = open();
    await instance.partitionPart(HOST, OWN);
    isAway = true;

    pass(20);
    expect(await instance.partitionPart(HOST, OWN)).toBe(OWN);
    pass(1);
    expect(await instance.partitionPart(HOST, OWN)).toBe(0);
    isAway = false;
    expect(await instance.partitionPart(HOST, OWN)).toBe(OWN);
  });

  test('are not told by a late read that a claim of their own instance does not exist', async () => {
    const instance = open();

    await Promise.all([instance.partitionPart(HOST, OWN), instance.claim(HOST), instance.load()]);

    expect(instance.isClaimed(HOST)).toBe(true);
  });
});

describe('resyncFleet', () => {
  test('has its usual part until a claim takes effect, then the whole budget, and its usual part again', async () => {
    const resync = open();
    expect(resync.resyncPart(HOST)).toBe(RESYNC_PART);

    await resync.claim(HOST);
    expect(resync.resyncPart(HOST)).toBe(RESYNC_PART);
    pass(40);
    expect(resync.resyncPart(HOST)).toBe(1);
    await resync.release(HOST);
    expect(resync.resyncPart(HOST)).toBe(RESYNC_PART);
  });

  test('continues a claim of the run before on another instance, without a new wait', async () => {
    await open().claim(HOST);
    pass(60);
    const next = open();

    await next.load();
    await next.claim(HOST);

    expect(next.resyncPart(HOST)).toBe(1);
  });

  test('claims several hubs, and gives back one of them', async () => {
    const resync = open();
    await Promise.all([resync.claim(HOST), resync.claim(OTHER)]);
    await resync.release(HOST);

    const instance = open();
    await instance.load();
    expect([HOST, OTHER].map((host) => instance.isClaimed(host))).toEqual([false, true]);
  });

  test('stores nothing to renew a claim that has most of its time left, or to give back what it has not claimed', async () => {
    const resync = open();
    await resync.claim(HOST);
    const before = reads;

    await resync.claim(HOST);
    await resync.release(OTHER);

    expect(reads).toBe(before);
  });

  test('takes damaged claims for none', async () => {
    stored.set('writeClaims', 'damaged');
    const resync = open();

    await resync.load();

    expect(resync.isClaimed(HOST)).toBe(false);
  });
});

describe('all instances together', () => {
  const fleet = fleetOf({});
  const hub = fleet.hubs[0];
  if (hub === undefined) throw new Error('no hub');
  const share = (name: string, part: number, writePart: (host: typeof HOST) => Promise<number>) =>
    new BudgetShare({
      share: name,
      part,
      writePart,
      counts: { reserve: async (_key, messages) => messages },
      pauses: new HubPauses(() => 0),
      now: () => now,
      wait: async () => {},
    });

  test.each([true, false])(
    'never get more permits for twin updates than the budget of the hub, while a claim begins and ends (given back: %s)',
    async (isGivenBack) => {
      const resync = open();
      const instances = [open(), open(), open(), open()];
      const shares = [
        share('resync', RESYNC_PART, async (host) => resync.resyncPart(host)),
        ...instances.map((instance, index) =>
          share(String(index), OWN, (host) => instance.partitionPart(host, OWN)),
        ),
      ];
      const budget = twinUpdatesPerSecond(hub) * hub.budget.rate;
      const granted: number[] = [];

      for (let second = 0; second < 240; second += 1) {
        if (second === 20) await resync.claim(HOST);
        if (second === 90 && isGivenBack) await resync.release(HOST);
        pass(1);
        let permits = 0;
        for (const each of shares) {
          while ((await each.permit(hub, 'write', now)).kind === 'granted') permits += 1;
        }
        granted.push(permits);
      }

      // Each part may have saved up one second when it begins.
      for (let from = 0; from + 10 <= granted.length; from += 1) {
        const permits = granted.slice(from, from + 10).reduce((sum, each) => sum + each, 0);
        expect([from, permits <= 11 * budget]).toEqual([from, true]);
      }
      const during = granted.slice(62, 88).reduce((sum, each) => sum + each, 0);
      expect(during / (26 * budget)).toBeGreaterThan(0.95);
    },
  );
});
