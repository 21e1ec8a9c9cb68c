import type { DeviceLink } from '../../../local/iot-hub/hub/connections.ts';
import { connectDevice, disconnectDevice } from '../../../local/iot-hub/hub/hub.ts';
import { createIdentity, deleteIdentity } from '../../../local/iot-hub/operations/identity-operations.ts';
import {
  editAsConfiguration,
  editAsPortal,
  patchTwinOf,
  replaceTwinOf,
  reportProperties,
  twinForDevice,
} from '../../../local/iot-hub/operations/twin-operations.ts';
import { contentsToRead } from '../../../src/control/rollouts.ts';
import { parseFleet } from '../../../src/fleet/file/parse.ts';
import { withPrevious } from '../../../src/fleet/file/previous.ts';
import type { Fleet, Policy } from '../../../src/fleet/fleet.ts';
import { hostName } from '../../../src/iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../../../src/json/json.ts';
import { type EpochMs, epochMs } from '../../../src/time/epoch-ms.ts';
import type { TwinId } from '../../../src/twin/snapshot/twin.ts';
import { EventLog } from './event-log.ts';
import { addressOf, ModelHub } from './model-hub.ts';
import { ModelStore } from './model-store.ts';
import type { Random } from './random.ts';
import { Scheduler, type Task } from './scheduler.ts';

export const HOST = hostName('weu.azure-devices.net');
export const PARTITIONS = 2;
export const START = epochMs(Date.UTC(2026, 10, 23, 8));

/** How a device takes what it is told. */
export type Behaviour =
  | 'apply'
  | 'echo'
  | 'reject'
  | 'fail'
  | 'choose'
  | 'ignore'
  /** It says what it always said, whatever it is told. */
  | 'stubborn'
  /** It reports everything it has once a second, and needs 20 seconds for a value. */
  | 'slow'
  /** It acknowledges without saying which version it is about. */
  | 'bare';

export interface Device {
  readonly id: TwinId;
  readonly behaviour: Behaviour;
  isOnline: boolean;
  /** Desired version that it has seen last. */
  seen: number;
  /** How often it still fails. */
  failures: number;
  /** A value may end it: it never connects again. */
  readonly isFragile: boolean;
  isDead: boolean;
  /** Changes of desired that it was not told of, though it was there. */
  missed: number;
  readonly link: DeviceLink;
}

const PATHS = [['interval'], ['mode'], ['net', 'dns'], ['net', 'ntp']] as const;
/** The module that policies may target. */
const MODULE = 'collector';
export const VALUES: readonly JsonValue[] = [1, 2, 3, 'a', [1, 2]];

/** Everything around Berth: hubs, devices, other writers, the Event Hub, the tables, and time. */
export class Simulation {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly log: EventLog;
  readonly store: ModelStore;
  readonly hub: ModelHub;
  readonly devices: Device[] = [];
  fleet: Fleet;
  /** All that there have been. */
  readonly fleets: Fleet[] = [];
  /** What happened to twins that lets Berth begin anew: changes by others, new incarnations; by device. */
  readonly foreign: { readonly at: EpochMs; readonly deviceId: string }[] = [];
  /** Somebody who writes one path of one device again and again, whatever stands there. */
  readonly otherWriter: { readonly device: Device; readonly path: readonly string[] } | undefined;
  /** No device moves and nobody else writes any more. */
  isCalm = false;
  /** What is stored was damaged. */
  isDamaged = false;
  /** How often a connected device misses a notification. */
  deafness = 0;
  readonly task: Task = { name: 'simulation', isDead: false };
  readonly #hubFile: JsonObject;
  #rounds = 0;

  /** Whether every fleet file has a rollout in stages, and a value may end devices. */
  readonly hasStages: boolean;

  /** The section `allocation.moves` of every fleet file. Undefined: none. */
  readonly #moves: JsonObject | undefined;

  constructor(random: Random, hasStages = false, moves?: JsonObject) {
    this.random = random;
    this.hasStages = hasStages;
    this.#moves = moves;
    this.scheduler = new Scheduler(START, random);
    this.log = new EventLog(PARTITIONS, random);
    this.store = new ModelStore(this.scheduler, random);
    const isPoor = random.chance(0.15);
    this.#hubFile = {
      host: HOST,
      region: 'westeurope',
      tier: isPoor ? 'F1' : 'S1',
      budget: { rate: 0.5, daily: isPoor ? 0.02 : 0.2 },
    };
    this.fleet = this.newFleet();
    const [hub] = this.fleet.hubs;
    if (hub === undefined) throw new Error('no hub');
    this.hub = new ModelHub(hub, this.log, this.scheduler, random);
    for (let number = random.between(1, 3); number > 0; number -= 1) this.addDevice();
    if (random.chance(0.3)) {
      this.otherWriter = { device: random.pick(this.devices), path: random.pick(PATHS) };
      void this.#editAgainst(this.otherWriter);
    }
  }

  /** A fleet file with other policies. */
  newFleet(): Fleet {
    const { random } = this;
    this.#rounds += 1;
    const policies = Array.from({ length: random.between(1, 4) }, (_, index) => this.#policy(index));
    const parsed = parseFleet(
      JSON.stringify({
        hubs: [this.#hubFile],
        ...(this.#moves === undefined ? {} : { allocation: { moves: this.#moves } }),
        twins: {
          policies,
          ...(random.chance(0.2) ? { scope: "!('unmanaged' in tags)" } : {}),
          ...(this.hasStages
            ? { rollout: this.#stages() }
            : random.chance(0.3)
              ? { rollout: { over: random.pick(['1m', '10m']) } }
              : {}),
          fight: { writes: random.between(1, 3), within: '10m', pause: random.pick(['10m', '1h']) },
        },
      }),
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    this.fleets.push(parsed.fleet);
    return parsed.fleet;
  }

  #stages(): JsonObject {
    const { random } = this;
    return {
      stages: [
        ...(random.chance(0.6) ? [{ name: 'first', where: "deviceId == 'dev-0'", atLeast: '5m' }] : []),
        { name: 'half', share: 0.5, atLeast: '5m', approve: random.chance(0.2) },
        { name: 'all', share: 1, over: random.pick(['0s', '10m']) },
      ],
      gate: {
        inSync: random.pick([0.5, 0.9]),
        rejected: random.pick([0.1, 0.5]),
        sample: random.between(1, 3),
        deadline: '1h',
      },
      onFailure: random.pick(['pause', 'rollback']),
      ...(random.chance(0.2) ? { window: { from: '08:00', to: '09:00', timeZone: '=tags.zone' } } : {}),
    };
  }

  /** The fleet with the earlier contents that its rollouts need now, as an instance reads them. */
  withPrevious(fleet: Fleet): Fleet {
    if (!this.hasStages) return fleet;
    const needed = contentsToRead(this.store.control, fleet.twins.policies);
    const contents = needed.flatMap(({ content }) => this.content(content) ?? []);
    return withPrevious(fleet, contents);
  }

  /** A content of any fleet file that there was. */
  content(hash: string): Policy | undefined {
    return this.fleets.flatMap(({ twins }) => twins.policies).find((policy) => policy.hash === hash);
  }

  #policy(index: number): JsonObject {
    const { random } = this;
    let desired: JsonObject = {};
    for (const path of PATHS) {
      if (!random.chance(0.5)) continue;
      const value = random.chance(0.1) ? null : random.chance(0.1) ? '=reported.level' : random.pick(VALUES);
      const [first, second] = path;
      const below = desired[first];
      desired =
        second === undefined
          ? { ...desired, [first]: value }
          : { ...desired, [first]: { ...(isObject(below) ? below : {}), [second]: value } };
    }
    if (Object.keys(desired).length === 0) desired = { interval: 1 };
    const mode = random.chance(0.7) ? 'enforce' : random.pick(['adopt', 'seed', 'observe']);
    return {
      // A name stays over revisions; its content changes.
      name: `policy-${index}`,
      ...(random.chance(0.6)
        ? { when: random.pick(['reported.battery < 20', 'reported.battery >= 20', "tags.site == 'a'"]) }
        : {}),
      ...(random.chance(0.15) ? { target: `module:${MODULE}` } : {}),
      mode,
      desired: mode === 'seed' ? withoutNull(desired) : desired,
      ...(random.chance(0.5) ? { cooldown: random.pick(['0s', '30s', '5m']) } : {}),
      ...(random.chance(0.3) ? { attempts: random.between(1, 3) } : {}),
      ...(random.chance(0.2) ? { confirm: false } : {}),
      ...(random.chance(0.3) ? { onLeave: 'remove' } : {}),
      deadline: random.pick(['1m', '1h']),
    };
  }

  /** A new device, perhaps with a module that behaves in its own way. */
  addDevice(): void {
    const deviceId = `dev-${this.devices.length}`;
    this.#add({ host: HOST, deviceId, moduleId: undefined });
    if (this.random.chance(0.3)) this.#add({ host: HOST, deviceId, moduleId: MODULE });
  }

  #add(id: TwinId): void {
    const { random } = this;
    const behaviour = random.pick<Behaviour>([
      'apply',
      'apply',
      'echo',
      'reject',
      'fail',
      'choose',
      'ignore',
      'stubborn',
      'slow',
      'bare',
    ]);
    const failures = random.chance(0.3) ? Number.POSITIVE_INFINITY : random.between(0, 4);
    const link: DeviceLink = {
      notifyDesired: () => true,
      callMethod: () => false,
      deliver: () => {},
      fail: () => {},
      close: () => {},
    };
    const isFragile = this.hasStages && random.chance(0.3);
    const device = {
      id,
      behaviour,
      isOnline: false,
      seen: 0,
      failures,
      missed: 0,
      link,
      isFragile,
      isDead: false,
    };
    this.devices.push(device);
    this.create(device);
    void this.#live(device);
  }

  async #editAgainst({ device, path }: NonNullable<Simulation['otherWriter']>): Promise<void> {
    const value = this.random.pick(VALUES);
    while (!this.isCalm) {
      await this.scheduler.pause(this.random.between(5_000, 20_000), this.task);
      if (this.isCalm || !this.exists(device)) continue;
      const twin = this.hub.twin(device.id);
      if (sameJson(twin === undefined ? undefined : at(twin.desired.values, path), value)) continue;
      patchTwinOf(this.hub.local, addressOf(device.id), { properties: { desired: nested(path, value) } });
    }
  }

  create({ id }: Device): void {
    const { random } = this;
    if (this.hub.local.store.get({ deviceId: id.deviceId }) === undefined && id.moduleId !== undefined)
      return;
    createIdentity(
      this.hub.local,
      addressOf(id),
      {
        status: 'enabled',
        statusReason: null,
        authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: '' } },
        capabilities: { iotEdge: false },
      },
      {
        tags: random.chance(0.5) ? { site: random.pick(['a', 'b']) } : {},
        desired: random.chance(0.5) ? { interval: random.between(1, 4) } : {},
      },
    );
  }

  exists({ id }: Device): boolean {
    return this.hub.local.store.get(addressOf(id)) !== undefined;
  }

  /** What a device does as long as the simulation turns. */
  async #live(device: Device): Promise<void> {
    const { random, scheduler } = this;
    for (;;) {
      await scheduler.pause(random.between(1_000, this.isCalm ? 120_000 : 40_000), this.task);
      if (!this.exists(device)) {
        device.isOnline = false;
        continue;
      }
      if (device.isDead) continue;
      const isOnline = this.isCalm || device.isOnline !== random.chance(0.1);
      if (isOnline && !device.isOnline) await this.#connect(device);
      if (!isOnline && device.isOnline) this.#disconnect(device);
      if (!isOnline || !this.exists(device)) continue;
      // Telemetry shows that it is alive.
      this.hub.local.connections.active(addressOf(device.id), this.hub.local.tick());
      if (device.isFragile && this.#isEnded(device)) {
        this.#disconnect(device);
        device.isDead = true;
        continue;
      }
      await this.#hear(device);
      if (!this.isCalm && random.chance(0.3) && this.exists(device)) this.#report(device, this.#news());
    }
  }

  /** Whether a fragile device has got the value that ends it. */
  #isEnded(device: Device): boolean {
    const { desired } = twinForDevice(this.hub.local, addressOf(device.id));
    return isObject(desired) && desired.interval === 3;
  }

  /** It reads its twin, reports, and only then listens: what is written in between it never hears of. */
  async #connect(device: Device): Promise<void> {
    const { random, scheduler } = this;
    device.isOnline = true;
    connectDevice(this.hub.local, addressOf(device.id), device.link);
    await this.#answer(device, this.#desiredVersion(device));
    if (!this.exists(device)) return;
    if (random.chance(0.5)) this.#report(device, this.#news());
    await scheduler.pause(random.between(20, 2_000), this.task);
    if (this.exists(device)) this.#miss(device);
  }

  #disconnect(device: Device): void {
    device.isOnline = false;
    disconnectDevice(this.hub.local, addressOf(device.id), device.link);
  }

  /** Takes what has changed since it last heard, unless it was not told. */
  async #hear(device: Device): Promise<void> {
    const version = this.#desiredVersion(device);
    const isNew = version !== device.seen;
    if (isNew && this.random.chance(this.deafness)) this.#miss(device);
    else if (isNew || device.behaviour === 'fail') await this.#answer(device, version);
  }

  #miss(device: Device): void {
    const version = this.#desiredVersion(device);
    if (version === device.seen) return;
    device.seen = version;
    device.missed += 1;
  }

  #desiredVersion({ id }: Device): number {
    const { desired } = twinForDevice(this.hub.local, addressOf(id));
    return isObject(desired) ? Number(desired.$version) : 0;
  }

  #news(): JsonObject {
    const { random } = this;
    return random.chance(0.5)
      ? { battery: random.pick([10, 90]) }
      : { level: random.between(1, 3), ...(random.chance(0.2) ? { old: null } : { old: 1 }) };
  }

  /** Takes what is desired now, the way it does. */
  async #answer(device: Device, version: number): Promise<void> {
    device.seen = version;
    if (device.behaviour === 'slow') await this.#dawdle(device);
    if (!this.exists(device)) return;
    const { desired, reported } = twinForDevice(this.hub.local, addressOf(device.id));
    if (!isObject(desired) || !isObject(reported)) return;
    device.seen = Number(desired.$version);
    for (const path of PATHS) {
      const wanted = at(desired, path);
      const found = at(reported, path);
      if (wanted === undefined) {
        if (found !== undefined && device.behaviour !== 'ignore') this.#report(device, nested(path, null));
        continue;
      }
      const answer = this.#answerTo(device, path, wanted, found, device.seen);
      const isRepeated = device.behaviour === 'stubborn' || device.behaviour === 'bare';
      if (answer !== undefined && (isRepeated || !sameJson(answer, found)))
        this.#report(device, nested(path, answer));
    }
  }

  /** It says for 20 seconds what it has had before. */
  async #dawdle(device: Device): Promise<void> {
    for (let second = 0; second < 20; second += 1) {
      const { reported } = twinForDevice(this.hub.local, addressOf(device.id));
      const before = isObject(reported) ? reported : {};
      const all = PATHS.flatMap((path) => {
        const value = at(before, path);
        return value === undefined ? [] : [nested(path, value)];
      });
      for (const each of all) this.#report(device, each);
      await this.scheduler.pause(1_000, this.task);
      if (!this.exists(device)) return;
    }
  }

  #answerTo(
    device: Device,
    path: readonly string[],
    wanted: JsonValue,
    found: JsonValue | undefined,
    av: number,
  ): JsonValue | undefined {
    const current = isObject(found) && found.ac !== undefined ? (found.value ?? null) : (found ?? 'nothing');
    if (isObject(found) && sameJson(found.value, wanted) && found.ac === 200) return undefined;
    switch (device.behaviour) {
      case 'apply':
        return { value: wanted, ac: 200, av };
      case 'echo':
        return wanted;
      case 'reject':
        return wanted === 2 || wanted === 'a'
          ? { value: current ?? 'nothing', ac: 400, av }
          : { value: wanted, ac: 200, av };
      case 'fail': {
        if (device.failures > 0) {
          if (isObject(found) && found.av === av) return undefined;
          device.failures -= 1;
          return { value: current ?? 'nothing', ac: 500, av };
        }
        return { value: wanted, ac: 200, av };
      }
      case 'choose':
        // It tries, and goes back to what it likes better.
        if (wanted === 3) this.#report(device, nested(path, 3.5));
        return wanted === 3 ? 4 : wanted;
      case 'ignore':
        return undefined;
      case 'stubborn':
        return 30;
      case 'slow':
        return wanted;
      case 'bare':
        return wanted === 2 || wanted === 'a'
          ? { value: current ?? 'nothing', ac: 400 }
          : { value: wanted, ac: 200 };
    }
  }

  #report(device: Device, patch: JsonObject): void {
    reportProperties(this.hub.local, addressOf(device.id), patch);
  }

  /** Somebody else writes, or something happens to the device. */
  disturb(): void {
    const { random, hub } = this;
    const device = random.pick(this.devices);
    const address = addressOf(device.id);
    if (!this.exists(device)) {
      if (random.chance(0.5)) this.create(device);
      this.foreign.push({ at: this.scheduler.now, deviceId: device.id.deviceId });
      return;
    }
    const patch = { properties: { desired: nested(random.pick(PATHS), random.pick([...VALUES, null])) } };
    this.foreign.push({ at: this.scheduler.now, deviceId: device.id.deviceId });
    switch (random.between(0, 7)) {
      case 0:
      case 1:
        patchTwinOf(hub.local, address, patch);
        break;
      case 2:
        editAsPortal(hub.local, address, patch);
        break;
      case 3:
        editAsPortal(hub.local, address, { tags: { site: random.pick(['a', 'b']) } });
        break;
      case 4:
        editAsConfiguration(
          hub.local,
          address,
          { properties: { desired: nested(random.pick(PATHS), random.pick(VALUES)) } },
          'hvac',
        );
        break;
      case 5:
        patchTwinOf(hub.local, address, {
          tags: random.chance(0.5)
            ? { unmanaged: random.pick([true, null]) }
            : { note: random.between(1, 9) },
        });
        break;
      case 6:
        replaceTwinOf(hub.local, address, { tags: {}, ...patch });
        break;
      case 7:
        deleteIdentity(hub.local, address, undefined);
        device.isOnline = false;
        device.seen = 0;
        if (random.chance(0.6)) this.create(device);
    }
  }
}

function at(json: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = json;
  for (const key of path) value = isObject(value) ? value[key] : undefined;
  return value;
}

function nested([key = '', ...rest]: readonly string[], value: JsonValue): JsonObject {
  return { [key]: rest.length === 0 ? value : nested(rest, value) };
}

/** The object without what would be deleted; something is left. */
function withoutNull(desired: JsonObject): JsonObject {
  const kept: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(desired)) {
    if (value === null) continue;
    const below = isObject(value)
      ? Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null))
      : value;
    if (!isObject(below) || Object.keys(below).length > 0) kept[key] = below;
  }
  return Object.keys(kept).length === 0 ? { interval: 1 } : kept;
}
