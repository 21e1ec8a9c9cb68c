import { describe, expect, test } from '@jest/globals';
import { disableDevice } from '../../src/cli/hubs/silent/disable-device.ts';
import { followDevices } from '../../src/cli/hubs/silent/follow.ts';
import type { DrainTools } from '../../src/cli/hubs/silent/tools.ts';
import type { RegistrationRecord } from '../../src/dps/port.ts';
import type { StatusChange } from '../../src/hub/identity-registry.ts';
import { HubError } from '../../src/hub/port.ts';
import { type DisabledDevice, isOpen, isOut, markOf } from '../../src/silent-devices/disabled-device.ts';
import type { SeenIdentity } from '../../src/silent-devices/next-step.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { NEW, OLD, REGISTERED, REGISTERED_AGAIN } from '../silent-devices/disabled-devices.ts';
import { TestClock } from '../support/clock.ts';

/* What the command leaves behind if it ends at any of its calls, or if calls fail. Hub, DPS and table are in memory, on virtual time. */

const DEVICE = 'pump';
const REASON = 'bought in 2019';

/** When a call goes wrong: before it has an effect, or after that, when its answer is lost. */
type Moment = 'before' | 'after';

/** The world of one device: its hub, DPS, the table, and calls that go wrong. */
class World {
  readonly clock = new TestClock();
  readonly rows = new Map<string, DisabledDevice>();
  identity: SeenIdentity | undefined = {
    status: 'enabled',
    statusReason: REASON,
    etag: 'e0',
    isConnected: true,
    connectionChangedAt: instantOf(plus(this.clock.now(), -3_600_000)),
    lastActivityAt: instantOf(this.clock.now()),
  };
  record: RegistrationRecord = {
    registrationId: DEVICE,
    deviceId: DEVICE,
    assignedHub: OLD,
    status: 'assigned',
    updatedAt: REGISTERED,
  };
  isEnding = false;
  calls = 0;
  /** Throws where a call goes wrong. */
  fault: (call: number, moment: Moment, name: string) => void = () => {};
  /** What the device does when its hub refuses it. */
  onDisabled = () => {};
  readonly tools: DrainTools;

  constructor() {
    this.tools = {
      host: OLD,
      registry: {
        host: OLD,
        list: async () => ({ devices: [], continuation: undefined }),
        read: () => this.#call('read', () => this.identity),
        changeStatus: async (_, decide) => {
          const identity = await this.#call('readToChange', () => this.identity);
          if (identity === undefined) return { kind: 'missing' };
          const change = await decide(identity);
          if (change === undefined) return { kind: 'kept' };
          return this.#call('change', () => this.#change(identity.etag, change));
        },
        close: async () => {},
      },
      dps: { registration: () => this.#call('registration', () => this.record) },
      store: {
        begin: (device) =>
          this.#call('begin', () => {
            const before = this.rows.get(device.deviceId);
            if (before !== undefined && isOpen(before)) return false;
            this.rows.set(device.deviceId, device);
            return true;
          }),
        change: (device, change) =>
          this.#call('store', () => {
            const changed = { ...device, ...change };
            this.rows.set(device.deviceId, changed);
            return changed;
          }),
        remove: ({ deviceId }) => this.#call('remove', () => void this.rows.delete(deviceId)),
      },
      pace: { identity: async () => {}, query: async () => {}, dps: async () => {} },
      statusThere: () => this.#call('there', () => 'enabled' as const),
      waitMs: 60_000,
      now: this.clock.now,
      wait: this.clock.wait,
      isEnding: () => this.isEnding,
      renew: async () => {},
      report: () => {},
    };
  }

  async #call<Answer>(name: string, effect: () => Answer): Promise<Answer> {
    this.calls += 1;
    const call = this.calls;
    this.fault(call, 'before', name);
    const answer = effect();
    this.fault(call, 'after', name);
    return answer;
  }

  #change(etag: string, { status, statusReason }: StatusChange) {
    if (this.identity?.etag !== etag) return { kind: 'overtaken' } as const;
    const next = `${etag}+`;
    const now = instantOf(this.clock.now());
    const isConnected = status === 'enabled';
    this.identity = {
      ...this.identity,
      status,
      statusReason,
      etag: next,
      isConnected,
      connectionChangedAt: now,
    };
    if (status === 'disabled') this.onDisabled();
    return { kind: 'changed', etag: next } as const;
  }

  /** The device registers, and DPS moves it. */
  move(): void {
    this.record = { ...this.record, assignedHub: NEW, updatedAt: REGISTERED_AGAIN };
    this.identity = undefined;
  }

  /** One wave with the device. */
  async run(run: string) {
    const enrollment = { isEnabled: true, isCustom: true, reprovisions: true, hubs: [] };
    const registration = {
      registrationId: DEVICE,
      status: 'assigned',
      host: OLD,
      updatedAt: REGISTERED,
      enrollment,
    };
    const device = await disableDevice(this.tools, {
      deviceId: DEVICE,
      registration,
      mark: markOf(run),
      author: 'ada',
      reason: 'moving out',
    });
    return typeof device === 'string' ? device : followDevices(this.tools, [device]);
  }

  /** `--enable-again`, without faults. */
  async enableAgain() {
    this.fault = () => {};
    this.isEnding = true;
    return followDevices(this.tools, [...this.rows.values()].filter(isOpen));
  }
}

/** How many calls a run makes in which nothing goes wrong. */
async function callsOf(world: World): Promise<number> {
  await world.run('r1');
  return world.calls;
}

const timeout = () => new HubError('BERTH_HUB_TIMEOUT', 'no answer.', { host: OLD, mayHaveApplied: true });
const throttled = () => new HubError('BERTH_HUB_THROTTLED', '429.', { host: OLD });

describe('a run that is killed at any of its calls', () => {
  test.each<Moment>(['before', 'after'])(
    'leaves a device that --enable-again enables with its earlier status reason (killed %s the effect of the call)',
    async (moment) => {
      const all = await callsOf(new World());
      expect(all).toBeGreaterThan(10);
      for (let killed = 1; killed <= all; killed += 1) {
        const world = new World();
        world.fault = (call, at) => {
          if (call === killed && at === moment) throw new Error('killed');
        };
        await expect(world.run('r1')).rejects.toThrow('killed');

        await world.enableAgain();

        expect({ killed, identity: world.identity }).toMatchObject({
          killed,
          identity: { status: 'enabled', statusReason: REASON },
        });
        expect([...world.rows.values()].filter(isOut)).toEqual([]);
      }
    },
  );

  test.each<Moment>(['before', 'after'])(
    'leaves nothing of a device that has moved (killed %s the effect of the call)',
    async (moment) => {
      const moving = () => {
        const world = new World();
        world.onDisabled = () => world.move();
        return world;
      };
      const all = await callsOf(moving());
      for (let killed = 1; killed <= all; killed += 1) {
        const world = moving();
        world.fault = (call, at) => {
          if (call === killed && at === moment) throw new Error('killed');
        };
        await expect(world.run('r1')).rejects.toThrow('killed');

        await world.enableAgain();

        const isHere = world.identity !== undefined;
        expect({ killed, isHere, rows: world.rows.size, status: world.identity?.status }).toEqual({
          killed,
          isHere,
          rows: 0,
          status: isHere ? 'enabled' : undefined,
        });
      }
    },
  );
});

describe('a call that fails', () => {
  test('is tried again while a device is followed, and loses nothing', async () => {
    const world = new World();
    let failures = 0;
    world.fault = (_, at, name) => {
      if (at !== 'before' || (name !== 'registration' && name !== 'read') || world.rows.size === 0) return;
      failures += 1;
      if (failures <= 10) throw throttled();
    };

    expect(await world.run('r1')).toMatchObject({
      results: new Map([[DEVICE, 'cameBack']]),
      open: [],
      failure: undefined,
    });
    expect(failures).toBeGreaterThan(10);
  });

  test('leaves an open record, and an error, if the hub never enables the device', async () => {
    const world = new World();
    world.fault = (_, at, name) => {
      if (at === 'before' && name === 'change' && world.identity?.status === 'disabled') throw throttled();
    };

    const followed = await world.run('r1');

    expect(followed).toMatchObject({
      open: [{ deviceId: DEVICE, phase: 'disabled' }],
      failure: { code: 'BERTH_HUB_THROTTLED' },
    });
    await world.enableAgain();
    expect(world.identity).toMatchObject({ status: 'enabled', statusReason: REASON });
  });

  test('whose answer is lost is looked up in the hub', async () => {
    const world = new World();
    let isLost = true;
    world.fault = (_, at, name) => {
      if (at !== 'after' || name !== 'change' || !isLost) return;
      isLost = false;
      throw timeout();
    };

    expect(await world.run('r1')).toMatchObject({ results: new Map([[DEVICE, 'cameBack']]) });
    expect(world.identity).toMatchObject({ status: 'enabled', statusReason: REASON });
  });

  test('without an effect leaves no record', async () => {
    const world = new World();
    world.fault = (_, at, name) => {
      if (at === 'before' && name === 'change') throw throttled();
    };

    await expect(world.run('r1')).rejects.toMatchObject({ code: 'BERTH_HUB_THROTTLED' });
    expect(world.rows.size).toBe(0);
  });
});
