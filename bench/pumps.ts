import { setImmediate } from 'node:timers/promises';
import type { IotHubs } from '../local/iot-hub/index.ts';
import type { MqttSession } from '../local/mqtt/index.ts';
import type { JsonObject } from '../src/json/json.ts';
import { connectDevice, DEVICE_KEY } from './local-device.ts';
import { acknowledged, PUMP_HOST, pumpTwin } from './pump.ts';

/** The interval of the battery-saver policy, and the interval of the other policies. */
const SAVING = 60_000;
const NORMAL = 5_000;
/** Threshold of the battery-saver policy, in percent. */
const LOW = 20;

export interface PumpsOptions {
  readonly hubs: IotHubs;
  readonly policies: number;
  readonly count: number;
  /** Share of the reports that cross the threshold, from 0 to 1. */
  readonly crossings: number;
  /** Edits in the portal for each report. Half of them change a value that policies own. */
  readonly edits: number;
}

/** Counters of the changes of the pumps. They do not depend on the tool that keeps them in sync. */
export interface PumpChanges {
  /** Reports in which a battery crossed the threshold, so that the desired interval must change. */
  crossings: number;
  /** Edits of the interval in the portal, which must be corrected. */
  intervalEdits: number;
  /** Edits of a tag in the portal. The portal also writes all other values again, unchanged. */
  tagEdits: number;
}

/**
 * Pumps that use the device API of a hub, without a network. They report their batteries, apply their desired properties
 * and acknowledge them. Two runs with the same options do the same, because nothing else affects the random numbers.
 */
export class Pumps {
  readonly changed: PumpChanges = { crossings: 0, intervalEdits: 0, tagEdits: 0 };
  readonly #options: PumpsOptions;
  readonly #draw = randomNumbers(1);
  readonly #pumps: Pump[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: PumpsOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { hubs, policies, count } = this.#options;
    const twin = pumpTwin(policies);
    for (let index = 0; index < count; index += 1) {
      const deviceId = `pump-${String(index).padStart(4, '0')}`;
      hubs.provisioning(PUMP_HOST)?.create(deviceId, {
        authentication: { type: 'sas', symmetricKey: { primaryKey: DEVICE_KEY, secondaryKey: DEVICE_KEY } },
        capabilities: { iotEdge: false },
        ...twin,
      });
      const pump: Pump = { deviceId, session: await connectDevice(hubs, PUMP_HOST, deviceId), battery: 80 };
      pump.session.opened({
        publish: (_, { topic, payload }) => {
          if (topic.startsWith('$iothub/twin/PATCH/properties/desired/')) this.#obey(pump, payload);
          else if (!/^\$iothub\/twin\/res\/20\d\//.test(topic)) throw new Error(`${deviceId}: ${topic}`);
          return true;
        },
        close() {},
      });
      this.#pumps.push(pump);
    }
  }

  /** The pumps of part `step` of `steps` report once, while other work continues. */
  async report(step: number, steps: number): Promise<void> {
    const size = Math.ceil(this.#pumps.length / steps);
    for (const [index, pump] of this.#pumps.slice(step * size, (step + 1) * size).entries()) {
      const crosses = this.#draw() < this.#options.crossings;
      const wasLow = pump.battery < LOW;
      const isLow = crosses ? !wasLow : wasLow;
      const range = isLow ? LOW : 100 - LOW;
      pump.battery = (isLow ? 0 : LOW) + Math.floor(this.#draw() * range);
      if (crosses) this.changed.crossings += 1;
      await send(pump, { power: { battery: pump.battery } });
      if (this.#draw() < this.#options.edits) this.#edit(pump);
      if (index % 8 === 0) await setImmediate();
    }
  }

  /** Waits until the devices have answered all notifications. */
  async quiet(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Number of pumps whose desired interval does not match their battery. */
  get wrong(): number {
    const view = this.#options.hubs.view(PUMP_HOST);
    return this.#pumps.filter(({ deviceId, battery }) => {
      const properties = view?.twin(deviceId)?.properties as { desired: JsonObject } | undefined;
      return properties?.desired.sendDataInterval !== intervalFor(battery);
    }).length;
  }

  #edit({ deviceId }: Pump): void {
    const view = this.#options.hubs.view(PUMP_HOST);
    if (this.#draw() < 0.5) {
      this.changed.intervalEdits += 1;
      view?.edit(deviceId, { properties: { desired: { sendDataInterval: 1_234 } } }, 'portal');
    } else {
      this.changed.tagEdits += 1;
      view?.edit(deviceId, { tags: { note: `edited ${this.changed.tagEdits} times` } }, 'portal');
    }
  }

  #obey(pump: Pump, payload: Buffer): void {
    const { sendDataInterval, $version } = JSON.parse(payload.toString()) as Record<string, number>;
    if (sendDataInterval === undefined) return;
    const answer = send(pump, { sendDataInterval: acknowledged(sendDataInterval, $version) }).finally(() =>
      this.#underWay.delete(answer),
    );
    this.#underWay.add(answer);
  }
}

/** The interval that the policies of `pump.ts` want. */
export function intervalFor(battery: number): number {
  return battery < LOW ? SAVING : NORMAL;
}

interface Pump {
  readonly deviceId: string;
  readonly session: MqttSession;
  battery: number;
}

async function send({ session }: Pump, values: JsonObject): Promise<void> {
  const topic = '$iothub/twin/PATCH/properties/reported/?$rid=1';
  await session.received({ topic, payload: Buffer.from(JSON.stringify(values)) });
}

/** Random numbers from 0 to 1. The same seed gives the same numbers (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
