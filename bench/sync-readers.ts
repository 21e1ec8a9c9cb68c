import { InvocationContext } from '@azure/functions';
import type { HubEvent } from '../local/iot-hub/index.ts';
import { resyncFleet } from '../src/functions/resync-fleet.ts';
import { syncTwins } from '../src/functions/sync-twins.ts';
import { openIotHubs } from '../src/hub/iot-hubs.ts';
import { Instance } from '../src/instance/instance.ts';
import { hostName } from '../src/iot-hub/host-name.ts';
import type { EpochMs } from '../src/time/epoch-ms.ts';
import type { Batch } from './event-stream.ts';
import { PUMP_HOST } from './pump.ts';
import { intervalFor } from './pumps.ts';

/** Reads the events of a hub and corrects its twins. */
export interface Reader {
  take(batch: Batch): Promise<void>;
  /** Runs the work of each minute. */
  everyMinute(): Promise<void>;
  /** Number of gaps that it found in the events; undefined if it does not check for gaps. */
  readonly gaps: number | undefined;
  close(): Promise<void>;
}

export interface ReaderOptions {
  /** Address of the hubs' service API. */
  readonly endpoint: string;
  /** Folder with the fleet file. */
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly now: () => EpochMs;
}

/** Berth's functions as they are deployed, on real tables and with the real client of IoT Hub. */
export function berth({
  storage,
  endpoint,
  directory,
  now,
}: ReaderOptions & {
  /** Connection string of the account with its tables. */
  readonly storage: string;
}): Reader {
  const instance = new Instance({
    env: { AzureWebJobsStorage: storage, IOT_ENDPOINT: endpoint, TWIN_EVENTS_PARTITIONS: '4' },
    directory,
    build: '2026-11-23T00:00:00Z',
    now,
    log: () => {},
  });
  const handle = syncTwins(instance);
  const resync = resyncFleet(instance);
  const context = (functionName: string, triggerMetadata = {}) =>
    new InvocationContext({ functionName, logHandler: () => {}, triggerMetadata });
  let sequenceNumber = 0;
  let gaps = 0;
  return {
    async take({ partition, events }) {
      const metadata = {
        partitionContext: { partitionId: String(partition) },
        propertiesArray: events.map(({ properties }) => properties),
        systemPropertiesArray: events.map(({ annotations }) => {
          sequenceNumber += 1;
          return { ...annotations, sequenceNumber, enqueuedTimeUtc: '2026-11-23T12:00:00.123' };
        }),
      };
      await handle(
        events.map(({ body }) => body),
        context('syncTwins', metadata),
      );
    },
    async everyMinute() {
      await resync({}, context('resyncFleet'));
    },
    get gaps() {
      for (const counts of instance.counters.take().values()) gaps += counts.gaps;
      return gaps;
    },
    close: () => instance.stop(),
  };
}

/**
 * The loop of Microsoft's samples: for each event of a twin, it reads the twin, compares it and writes the differences.
 * It handles only the one property of this benchmark, without a policy.
 */
export function sampleLoop({ endpoint }: ReaderOptions): Reader {
  const hubs = openIotHubs({
    hub: () => undefined,
    settings: {},
    clientId: undefined,
    isAzure: false,
    endpoint: () => endpoint,
  });
  const look = async ({ properties }: HubEvent): Promise<void> => {
    if (properties.opType !== 'updateTwin') return;
    const id = { host: hostName(PUMP_HOST), deviceId: String(properties.deviceId), moduleId: undefined };
    const { desired, reported, etag } = await hubs.readTwin(id);
    const { battery } = reported.values.power as { battery: number };
    const sendDataInterval = intervalFor(battery);
    if (desired.values.sendDataInterval === sendDataInterval || etag === undefined) return;
    await hubs.patchDesired(id, { sendDataInterval }, etag);
  };
  return {
    // Like Berth, it processes the events of one device one after the other, and different devices in parallel.
    async take({ events }) {
      const devices = new Map<string, HubEvent[]>();
      for (const event of events) {
        const of = devices.get(event.partitionKey) ?? [];
        of.push(event);
        devices.set(event.partitionKey, of);
      }
      await Promise.all(
        [...devices.values()].map(async (of) => {
          for (const event of of) await look(event);
        }),
      );
    },
    async everyMinute() {},
    gaps: undefined,
    close: () => hubs.close(),
  };
}
