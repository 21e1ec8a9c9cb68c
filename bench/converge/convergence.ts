import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startHttp } from '../../local/https/index.ts';
import { createIotHubs, type IotHubs } from '../../local/iot-hub/index.ts';
import type { MqttSession } from '../../local/mqtt/index.ts';
import { resyncFleet } from '../../src/functions/resync-fleet.ts';
import { syncTwins } from '../../src/functions/sync-twins.ts';
import { Instance } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { partitionsOf } from '../../src/store/tables/keys.ts';
import { isNewer } from '../../src/store/twins/twin-store.ts';
import { type EpochMs, plus, systemTime } from '../../src/time/epoch-ms.ts';
import { NO_FAULTS } from '../../test/local/iot-hub/no-faults.ts';
import { EventStream } from '../event-stream.ts';
import { connectDevice, DEVICE_KEY } from '../local-device.ts';
import { acknowledged } from '../pump.ts';
import { boundMs, type Change } from './bound.ts';

// Node.js does not find the names that this package exports, so that an ES module cannot import them.
const { InvocationContext } = createRequire(import.meta.url)(
  '@azure/functions',
) as typeof import('@azure/functions');

const PARTITIONS = 4;
const MINUTE_MS = 60_000;
/** How often the counters of the hubs are read. */
const SAMPLE_MS = 250;
/** How often new events are given to the functions. */
const DELIVER_MS = 200;
const PAGE = 200;
/** The policy value before the change and after it. */
const VALUES = { before: 5_000, after: 60_000 };

export interface Convergence {
  readonly change: Change;
  /** Connection string of the account with the state tables. */
  readonly storage: string;
  /** Ends then, also if twins are not in sync. In milliseconds. */
  readonly longestMs: number;
  /** The share of the calls after the change that the hubs refuse with 429, as if other clients used them too. Default: 0. */
  readonly throttleRate?: number;
  /** How much faster than real time the clock of the functions and of the hubs runs. Default: 1. A figure with another is none. */
  readonly speed?: number;
  readonly progress?: ((text: string) => void) | undefined;
}

/** Times are in milliseconds after the change of the fleet file. */
export interface Converged {
  readonly boundMs: number;
  /** Undefined: no twin was written. */
  readonly firstWriteMs: number | undefined;
  readonly lastWriteMs: number | undefined;
  /** When the last twin was in sync. Undefined: not all were, in the longest time. */
  readonly inSyncMs: number | undefined;
  /** Calls of the service API since the change, with those that were refused. */
  readonly calls: number;
  readonly writes: number;
  readonly reads: number;
  /** Calls that a hub refused with 429. */
  readonly refused: number;
}

/**
 * Changes one policy of twins that are all in sync, so that each twin needs one write, and measures how long it takes. Berth's
 * functions, its tables and its hub client are real. The hubs are local hubs with the throttles of their tier and units. The events
 * of the writes come back, as Event Hubs deliver them. The devices are connected and answer each write, which the hubs count against
 * the same throttle.
 *
 * The time after the change has these parts in addition to the writes: `resyncTwins` waits until no instance uses the earlier
 * control row (`SETTLED_MS`), `resyncFleet` starts each minute, and it plans each twin.
 */
export async function converge({
  change,
  storage,
  longestMs,
  throttleRate = 0,
  speed = 1,
  progress,
}: Convergence): Promise<Converged> {
  const clock = clockOf(speed);
  const { tier, units, devices } = change;
  const hosts = Array.from({ length: change.hubs }, (_, index) => `contoso-${index}.azure-devices.net`);
  const events = new EventStream();
  const hubs = createIotHubs({
    hubs: hosts.map((host) => ({ host, tier, units })),
    sink: () => (event) => events.put(event),
    now: clock.now,
  });
  const rest = await startHttp({ port: 0, services: [hubs.https] });
  const folder = mkdtempSync(join(tmpdir(), 'berth-converge-'));
  const open = (build: string, value: number) => {
    writeFileSync(join(folder, 'fleet.json'), JSON.stringify(fleetOf(change, hosts, value)));
    return openApp({ storage, folder, build, endpoint: `http://127.0.0.1:${rest.port}`, events, clock });
  };
  const before = open('2026-11-23T00:00:00Z', VALUES.before);
  let app: App | undefined;
  try {
    await createDevices(hubs, hosts, devices);
    await before.deliver();
    await before.everyMinute();
    progress?.(`${devices} twins are stored`);
    await before.close();

    if (throttleRate > 0) for (const hub of hubs.views) hub.setFaults({ ...NO_FAULTS, throttleRate });
    const start = totals(hubs);
    const changedAt = clock.now();
    app = open('2026-11-24T00:00:00Z', VALUES.after);
    app.run();
    const writes = await watchWrites(hubs, { devices, start, longestMs, clock, progress });
    const isDone = writes.last !== undefined && writes.written >= devices;
    const inSyncAt = isDone
      ? await whenInSync(app.instance, { hosts, devices, until: plus(changedAt, longestMs), clock })
      : undefined;
    const end = totals(hubs);
    const since = (at: EpochMs | undefined) => (at === undefined ? undefined : at - changedAt);
    return {
      boundMs: boundMs(change),
      firstWriteMs: since(writes.first),
      lastWriteMs: since(writes.last),
      inSyncMs: since(inSyncAt),
      calls: end.calls - start.calls,
      writes: end.writes - start.writes,
      reads: end.reads - start.reads,
      refused: end.refused - start.refused,
    };
  } finally {
    await app?.close();
    await rest.close();
    hubs.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function fleetOf({ tier, units, rate }: Change, hosts: readonly string[], value: number): JsonObject {
  return {
    hubs: hosts.map((host) => ({ host, region: 'westeurope', tier, units, budget: { rate, daily: 1 } })),
    twins: { policies: [{ name: 'interval', desired: { sendDataInterval: value } }] },
  };
}

/** Devices whose twins are in sync before the change, and which answer each write. */
async function createDevices(hubs: IotHubs, hosts: readonly string[], devices: number): Promise<void> {
  for (let index = 0; index < devices; index += 1) {
    const host = hosts[index % hosts.length] ?? '';
    const deviceId = `pump-${String(index).padStart(6, '0')}`;
    hubs.provisioning(host)?.create(deviceId, {
      authentication: { type: 'sas', symmetricKey: { primaryKey: DEVICE_KEY, secondaryKey: DEVICE_KEY } },
      capabilities: { iotEdge: false },
      tags: { site: 'amsterdam' },
      desired: { sendDataInterval: VALUES.before },
      reported: { sendDataInterval: acknowledged(VALUES.before) },
    });
    answerWrites(await connectDevice(hubs, host, deviceId));
  }
}

function answerWrites(session: MqttSession): void {
  session.opened({
    publish: (_, { topic, payload }) => {
      if (!topic.startsWith('$iothub/twin/PATCH/properties/desired/')) return true;
      const { sendDataInterval, $version } = JSON.parse(payload.toString()) as Record<string, number>;
      if (sendDataInterval === undefined) return true;
      const answer = JSON.stringify({ sendDataInterval: acknowledged(sendDataInterval, $version) });
      const patch = { topic: '$iothub/twin/PATCH/properties/reported/?$rid=1', payload: Buffer.from(answer) };
      void session.received(patch);
      return true;
    },
    close() {},
  });
}

interface Clock {
  readonly now: () => EpochMs;
  /** Waits for a number of milliseconds of this clock. A wait that is ended early is no error. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
}

function clockOf(speed: number): Clock {
  const start = systemTime();
  return {
    now: () => plus(start, Math.floor((systemTime() - start) * speed)),
    wait: (ms, signal) => delay(ms / speed, undefined, signal && { signal }).catch(() => {}),
  };
}

interface App {
  readonly instance: Instance;
  /** Handles all events that are there. */
  deliver(): Promise<void>;
  /** Does the work of one minute: the twins are counted. */
  everyMinute(): Promise<void>;
  /** Delivers events as they come, and runs the timer each minute, until `close`. */
  run(): void;
  close(): Promise<void>;
}

interface AppOptions {
  readonly storage: string;
  readonly folder: string;
  readonly build: string;
  readonly endpoint: string;
  readonly events: EventStream;
  readonly clock: Clock;
}

/** Berth's functions as they are deployed. */
function openApp({ storage, folder, build, endpoint, events, clock }: AppOptions): App {
  const instance = new Instance({
    env: { AzureWebJobsStorage: storage, IOT_ENDPOINT: endpoint, TWIN_EVENTS_PARTITIONS: String(PARTITIONS) },
    directory: folder,
    build,
    now: clock.now,
    wait: (ms) => clock.wait(ms),
    log: () => {},
  });
  instance.start();
  const sync = syncTwins(instance);
  const resync = resyncFleet(instance);
  const context = (functionName: string, triggerMetadata = {}) =>
    new InvocationContext({ functionName, logHandler: () => {}, triggerMetadata });
  const stopping = new AbortController();
  let sequenceNumber = 0;
  const deliver = async () => {
    const batches = events.take();
    // In order in each partition.
    await Promise.all(
      Array.from({ length: PARTITIONS }, async (_, partition) => {
        for (const batch of batches) {
          if (batch.partition !== partition) continue;
          const metadata = {
            partitionContext: { partitionId: String(partition) },
            propertiesArray: batch.events.map(({ properties }) => properties),
            systemPropertiesArray: batch.events.map(({ annotations }) => {
              sequenceNumber += 1;
              return { ...annotations, sequenceNumber, enqueuedTimeUtc: new Date(clock.now()).toISOString() };
            }),
          };
          await sync(
            batch.events.map(({ body }) => body),
            context('syncTwins', metadata),
          );
        }
      }),
    );
  };
  const everyMinute = () => resync({}, context('resyncFleet'));
  const sleep = (ms: number) => clock.wait(ms, stopping.signal);
  const running: Promise<void>[] = [];
  return {
    instance,
    deliver,
    everyMinute,
    run() {
      running.push(
        (async () => {
          while (!stopping.signal.aborted) {
            await deliver();
            await sleep(DELIVER_MS);
          }
        })(),
        // As the timer trigger does: runs do not overlap. A run that is late follows at once.
        (async () => {
          let next = nextMinute(clock.now());
          for (;;) {
            await sleep(Math.max(0, next - clock.now()));
            if (stopping.signal.aborted) return;
            const began = clock.now();
            await everyMinute();
            next = nextMinute(began);
          }
        })(),
      );
    },
    async close() {
      stopping.abort();
      await Promise.all(running);
      await instance.stop();
    },
  };
}

function nextMinute(at: number): number {
  return (Math.floor(at / MINUTE_MS) + 1) * MINUTE_MS;
}

interface Totals {
  readonly calls: number;
  readonly writes: number;
  readonly reads: number;
  readonly refused: number;
}

/** The service calls of all hubs. */
function totals(hubs: IotHubs): Totals {
  let [calls, writes, reads, refused] = [0, 0, 0, 0];
  for (const { counters } of hubs.views) {
    const { twinReads, twinWrites, twinWritesRefused, queries, identityOps, statisticsReads, throttled } =
      counters;
    calls += twinReads + twinWrites + twinWritesRefused + queries + identityOps + statisticsReads + throttled;
    writes += twinWrites;
    reads += twinReads;
    refused += throttled;
  }
  return { calls, writes, reads, refused };
}

interface Watching {
  readonly devices: number;
  readonly start: Totals;
  readonly longestMs: number;
  readonly clock: Clock;
  readonly progress: ((text: string) => void) | undefined;
}

/** Waits until as many twins are written as there are devices.*/
async function watchWrites(hubs: IotHubs, { devices, start, longestMs, clock, progress }: Watching) {
  const began = clock.now();
  let written = 0;
  let first: EpochMs | undefined;
  let last: EpochMs | undefined;
  for (let sample = 0; written < devices && clock.now() - began < longestMs; sample += 1) {
    await clock.wait(SAMPLE_MS);
    const now = totals(hubs).writes - start.writes;
    if (now > written) {
      last = clock.now();
      first ??= last;
      written = now;
    }
    if (sample % 40 === 0)
      progress?.(`${((clock.now() - began) / 1_000).toFixed(0)} s: ${written} of ${devices} twins written`);
  }
  return { first, last, written };
}

interface Wanted {
  readonly hosts: readonly string[];
  readonly devices: number;
  readonly until: EpochMs;
  readonly clock: Clock;
}

/** When all stored twins are in sync. Undefined: not before `until`. */
async function whenInSync(
  { stores }: Instance,
  { hosts, devices, until, clock }: Wanted,
): Promise<EpochMs | undefined> {
  while (clock.now() < until) {
    const at = clock.now();
    let inSync = 0;
    for (const partition of hosts.flatMap((host) => partitionsOf(hostName(host)))) {
      let after: string | undefined;
      do {
        const page = await stores.twins.page(partition, after, PAGE);
        for (const record of page) {
          if (isNewer(record) || record.known.kind !== 'snapshot') continue;
          if (record.known.snapshot.lastReconcile.status === 'inSync') inSync += 1;
        }
        after = page.length === PAGE ? page.at(-1)?.rowKey : undefined;
      } while (after !== undefined);
    }
    if (inSync >= devices) return at;
    await clock.wait(SAMPLE_MS);
  }
  return undefined;
}
