import { putConfiguration } from '../../../local/iot-hub/configurations/configuration-operations.ts';
import { evaluateConfigurations } from '../../../local/iot-hub/configurations/evaluate.ts';
import { readIdentityChoice } from '../../../local/iot-hub/model/identity.ts';
import { applyConfigurationContent } from '../../../local/iot-hub/operations/apply-configuration.ts';
import { createIdentity, deleteIdentity } from '../../../local/iot-hub/operations/identity-operations.ts';
import { patchTwinOf, reportProperties } from '../../../local/iot-hub/operations/twin-operations.ts';
import { contentsToRead } from '../../../src/control/rollouts.ts';
import type { EdgeDeployment } from '../../../src/fleet/edge/edge.ts';
import { parseFleet } from '../../../src/fleet/file/parse.ts';
import { withPrevious } from '../../../src/fleet/file/previous.ts';
import { type Fleet, rolloutContents } from '../../../src/fleet/fleet.ts';
import type { JsonObject } from '../../../src/json/json.ts';
import type { EpochMs } from '../../../src/time/epoch-ms.ts';
import type { Redaction } from '../../../src/twin/redaction/redact-values.ts';
import type { TwinId } from '../../../src/twin/snapshot/twin.ts';
import type { World } from './berth.ts';
import { EventLog } from './event-log.ts';
import { ModelHub } from './model-hub.ts';
import { ModelStore } from './model-store.ts';
import type { Random } from './random.ts';
import { Scheduler, type Task } from './scheduler.ts';
import { HOST, PARTITIONS, START } from './simulation.ts';

/** How a device takes a manifest. */
export type EdgeBehaviour =
  | 'runs'
  /** It pulls for minutes. */
  | 'slow'
  /** The sensor of version 3 ends again and again. */
  | 'fails'
  /** It shows no life any more after it has got the sensor of version 4. */
  | 'ends';

export interface EdgeDevice {
  readonly id: TwinId;
  readonly behaviour: EdgeBehaviour;
  isOnline: boolean;
  isEnded: boolean;
  /** The desired version of `$edgeAgent` that it runs. */
  seen: number;
  /** Undefined: it was created once. */
  recreatedAt: EpochMs | undefined;
  /** It had a manifest before Berth saw it. */
  hadOther: boolean;
  isAdopted: boolean;
  /** It was adopted, perhaps before it was created again. */
  wasAdopted: boolean;
  /** A hub configuration targets it from then on. */
  isConfigured: boolean;
}

const RINGS = ['lab', 'shop'] as const;
const SETTINGS = ['ACR_USER', 'ACR_PASSWORD', 'SENSOR_KEY'] as const;
const AGENT = '$edgeAgent';
const HUB = '$edgeHub';

/** IoT Edge devices of one hub, other writers, hub configurations, and the values of app settings. */
export class EdgeSimulation implements World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly log: EventLog;
  readonly store: ModelStore;
  readonly hub: ModelHub;
  readonly hasStages = true;
  readonly redaction: Redaction = { paths: [], key: Buffer.alloc(32, 1), hidesRuntime: true };
  readonly devices: EdgeDevice[] = [];
  readonly fleets: Fleet[] = [];
  /** Every value that a setting had. */
  readonly secrets: string[] = [];
  /** The manifests that other writers applied, by device. */
  readonly byOthers: { readonly at: number; readonly deviceId: string }[] = [];
  settings: Readonly<Record<string, string>> = {};
  fleet: Fleet;
  isCalm = false;
  readonly #task: Task = { name: 'edge devices', isDead: false };
  readonly #hubFile: JsonObject;

  constructor(random: Random) {
    this.random = random;
    this.scheduler = new Scheduler(START, random);
    this.log = new EventLog(PARTITIONS, random);
    this.store = new ModelStore(this.scheduler, random);
    this.#hubFile = {
      host: HOST,
      region: 'westeurope',
      tier: 'S1',
      budget: { rate: random.pick([0.1, 0.5]), daily: 0.5 },
    };
    for (const name of SETTINGS) this.rotate(name);
    this.fleet = this.newFleet();
    const [hub] = this.fleet.hubs;
    if (hub === undefined) throw new Error('no hub');
    this.hub = new ModelHub(hub, this.log, this.scheduler, random);
    for (let number = random.between(1, 4); number > 0; number -= 1) this.addDevice();
  }

  /** A setting gets another value. Instances that start later have it. */
  rotate(name: string = this.random.pick(SETTINGS)): void {
    const value = `Secret${this.secrets.length}x${Math.floor(this.random.next() * 1e9)}`;
    this.secrets.push(value);
    this.settings = { ...this.settings, [name]: value };
  }

  newFleet(): Fleet {
    const { random } = this;
    const rollout = random.chance(0.6) ? { rollout: this.#rollout() } : {};
    const parsed = parseFleet(
      JSON.stringify({
        hubs: [this.#hubFile],
        twins: { fight: { writes: random.between(1, 3), within: '10m', pause: random.pick(['10m', '1h']) } },
        edge: {
          registries: [{ address: 'a.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }],
          deployments: [
            {
              name: 'base',
              ...(random.chance(0.3) ? { when: "tags.ring == 'lab' || tags.ring == 'shop'" } : {}),
              modules: { sensor: this.#sensor() },
              routes: { toCloud: 'FROM /messages/* INTO $upstream' },
              ...rollout,
            },
            {
              name: 'pilot',
              when: "tags.ring == 'lab'",
              modules: {
                logger: { image: `a.io/logger:${random.between(1, 2)}`, env: { RING: '=tags.ring' } },
              },
              ...(random.chance(0.3) ? { rollout: this.#rollout() } : {}),
            },
            ...(random.chance(0.3)
              ? [{ name: 'quiet', when: 'tags.quiet == true', routes: { toCloud: null } }]
              : []),
          ],
        },
      }),
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    this.fleets.push(parsed.fleet);
    return parsed.fleet;
  }

  #sensor(): JsonObject {
    const { random } = this;
    return {
      image: `a.io/sensor:${random.between(1, 4)}`,
      env: {
        LEVEL: random.pick(['info', 'debug']),
        ...(random.chance(0.5) ? { KEY: 'setting:SENSOR_KEY' } : {}),
      },
      ...(random.chance(0.5) ? { desired: { interval: random.between(1, 3) } } : {}),
    };
  }

  #rollout(): JsonObject {
    const { random } = this;
    if (random.chance(0.2)) return { over: random.pick(['0s', '10m']) };
    return {
      stages: [
        { name: 'lab', where: "tags.ring == 'lab'", atLeast: '5m' },
        { name: 'half', share: 0.5, atLeast: '5m', approve: random.chance(0.2) },
        { name: 'all', share: 1, over: random.pick(['0s', '10m']) },
      ],
      gate: { inSync: random.pick([0.5, 0.9]), rejected: random.pick([0.1, 0.5]), sample: 1, deadline: '1h' },
      onFailure: random.pick(['pause', 'rollback']),
      ...(random.chance(0.2) ? { window: { from: '08:00', to: '09:00', timeZone: 'UTC' } } : {}),
    };
  }

  withPrevious(fleet: Fleet): Fleet {
    const needed = contentsToRead(this.store.control, rolloutContents(fleet));
    return withPrevious(
      fleet,
      [],
      needed.flatMap(({ content }) => this.deployment(content) ?? []),
    );
  }

  /** A content of any fleet file that there was. */
  deployment(hash: string): EdgeDeployment | undefined {
    return this.fleets.flatMap(({ edge }) => edge?.deployments ?? []).find((each) => each.hash === hash);
  }

  addDevice(): void {
    const { random } = this;
    const device: EdgeDevice = {
      id: { host: HOST, deviceId: `edge-${this.devices.length}`, moduleId: undefined },
      behaviour: random.pick<EdgeBehaviour>(['runs', 'runs', 'slow', 'fails', 'ends']),
      isOnline: false,
      isEnded: false,
      seen: 0,
      recreatedAt: undefined,
      hadOther: false,
      isAdopted: false,
      wasAdopted: false,
      isConfigured: false,
    };
    this.devices.push(device);
    this.create(device);
    device.recreatedAt = undefined;
    void this.#live(device);
  }

  create(device: EdgeDevice): void {
    const { random } = this;
    const { deviceId } = device.id;
    createIdentity(this.hub.local, { deviceId }, readIdentityChoice({ capabilities: { iotEdge: true } }), {
      tags: random.chance(0.9) ? { ring: random.pick(RINGS) } : {},
    });
    device.seen = 0;
    device.recreatedAt = this.scheduler.now;
    device.isEnded = false;
    device.hadOther = random.chance(0.2);
    device.isAdopted = false;
    if (device.hadOther) this.applyByOther(device);
  }

  exists({ id }: EdgeDevice): boolean {
    return this.hub.local.store.get({ deviceId: id.deviceId }) !== undefined;
  }

  /** Another writer applies a manifest of its own. */
  applyByOther({ id: { deviceId } }: EdgeDevice): void {
    const image = `other.io/other:${this.random.between(1, 3)}`;
    this.byOthers.push({ at: this.scheduler.now, deviceId });
    applyConfigurationContent(this.hub.local, deviceId, otherManifest(image));
  }

  /** A hub configuration targets the device from now on. */
  configure(device: EdgeDevice): void {
    const { deviceId } = device.id;
    if (device.isConfigured) return;
    device.isConfigured = true;
    const modulesContent = (otherManifest('hub.io/other:1') as { modulesContent: JsonObject }).modulesContent;
    patchTwinOf(this.hub.local, { deviceId }, { tags: { configured: deviceId } });
    putConfiguration(
      this.hub.local,
      `of-${deviceId}`,
      { content: { modulesContent }, targetCondition: `tags.configured='${deviceId}'`, priority: 10 },
      undefined,
    );
    evaluateConfigurations(this.hub.local);
  }

  /** Somebody does something to a device. */
  disturb(): void {
    const { random, hub } = this;
    const device = random.pick(this.devices);
    const { deviceId } = device.id;
    if (!this.exists(device)) {
      if (random.chance(0.5)) this.create(device);
      return;
    }
    switch (random.between(0, 7)) {
      case 0:
      case 1:
      case 2:
        patchTwinOf(hub.local, { deviceId }, { tags: { ring: random.pick([...RINGS, null]) } });
        break;
      case 3:
        patchTwinOf(hub.local, { deviceId }, { tags: { quiet: random.pick([true, null]) } });
        break;
      case 4:
      case 5:
        this.applyByOther(device);
        break;
      case 6:
        if (random.chance(0.3)) this.configure(device);
        break;
      case 7:
        if (device.isConfigured) break;
        deleteIdentity(hub.local, { deviceId }, undefined);
        if (random.chance(0.7)) this.create(device);
    }
  }

  /** What a device does as long as the simulation runs. */
  async #live(device: EdgeDevice): Promise<void> {
    const { random, scheduler } = this;
    for (;;) {
      await scheduler.pause(random.between(2_000, this.isCalm ? 120_000 : 40_000), this.#task);
      if (!this.exists(device) || device.isEnded) continue;
      device.isOnline = this.isCalm || device.isOnline !== random.chance(0.1);
      if (!device.isOnline) continue;
      const version = this.#desired(device, AGENT).version;
      if (version === device.seen || this.#desired(device, AGENT).values.systemModules === undefined)
        continue;
      const pullMs = random.between(1_000, device.behaviour === 'slow' ? 300_000 : 20_000);
      await scheduler.pause(pullMs, this.#task);
      // A newer manifest may have come meanwhile, or the device is gone.
      if (!this.exists(device) || this.#desired(device, AGENT).version !== version) continue;
      this.#report(device);
      device.seen = version;
    }
  }

  #desired({ id: { deviceId } }: EdgeDevice, moduleId: string) {
    return (
      this.hub.twin({ host: HOST, deviceId, moduleId })?.desired ?? { values: {} as JsonObject, version: 0 }
    );
  }

  #report(device: EdgeDevice): void {
    const { deviceId } = device.id;
    const { values, version } = this.#desired(device, AGENT);
    const text = JSON.stringify(values.modules ?? {});
    if (device.behaviour === 'ends' && text.includes('a.io/sensor:4')) {
      device.isEnded = true;
      return;
    }
    const isBroken = device.behaviour === 'fails' && text.includes('a.io/sensor:3');
    const running = (modules: JsonObject, status: string) =>
      Object.fromEntries(
        Object.entries(modules).map(([name, module]) => [
          name,
          { ...(module as JsonObject), runtimeStatus: status, exitCode: 1 },
        ]),
      );
    const { modules = {}, systemModules = {}, runtime = {} } = values as Record<string, JsonObject>;
    reportProperties(
      this.hub.local,
      { deviceId, moduleId: AGENT },
      {
        lastDesiredVersion: version,
        lastDesiredStatus: { code: 200, description: '' },
        runtime,
        systemModules: running(systemModules, 'running'),
        // What is gone from the manifest is gone from the device.
        modules: { ...this.#gone(device, modules), ...running(modules, isBroken ? 'failed' : 'running') },
      },
    );
    reportProperties(
      this.hub.local,
      { deviceId, moduleId: HUB },
      {
        lastDesiredVersion: this.#desired(device, HUB).version,
        lastDesiredStatus: { code: 200, description: '' },
      },
    );
  }

  #gone({ id: { deviceId } }: EdgeDevice, modules: JsonObject): JsonObject {
    const reported = this.hub.twin({ host: HOST, deviceId, moduleId: AGENT })?.reported.values.modules ?? {};
    return Object.fromEntries(
      Object.keys(reported as JsonObject).flatMap((name) => (name in modules ? [] : [[name, null] as const])),
    );
  }
}

function otherManifest(image: string): JsonObject {
  const system = (name: string) => ({
    settings: { image: `other.io/${name}:1`, createOptions: '' },
    type: 'docker',
  });
  return {
    modulesContent: {
      [AGENT]: {
        'properties.desired': {
          schemaVersion: '1.1',
          runtime: { type: 'docker', settings: { minDockerVersion: 'v1.25' } },
          systemModules: {
            edgeAgent: system('agent'),
            edgeHub: { ...system('hub'), status: 'running', restartPolicy: 'always' },
          },
          modules: {
            other: {
              settings: { image, createOptions: '' },
              type: 'docker',
              status: 'running',
              restartPolicy: 'always',
              version: '1.0',
            },
          },
        },
      },
      [HUB]: {
        'properties.desired': {
          schemaVersion: '1.1',
          routes: {},
          storeAndForwardConfiguration: { timeToLiveSecs: 7200 },
        },
      },
    },
  };
}
