import { createAbsentService } from '../amqp/absent-service.ts';
import { STANDARD_MESSAGE_FORMAT } from '../amqp/encoding.ts';
import { type AmqpServer, type AmqpService, startAmqp } from '../amqp/index.ts';
import { LocalError, notHere } from '../errors.ts';
import { silent } from '../log.ts';
import { ACCESS_KEY, type EventHubPolicy } from './access-key.ts';
import { IOT_HOSTS, isOfIotHub } from './amqp/entity-address.ts';
import { MAX_MESSAGE_SIZE } from './amqp/producer-link.ts';
import { createEventHubsService } from './amqp/session.ts';
import type { AppendedPosition, EventToAppend } from './event.ts';
import { EventHub, type PartitionCounters } from './event-hub.ts';
import { encodeEvent, readProducedEvents } from './message/event-message.ts';
import { checkHubs, DEFAULT_RETENTION, type EventHubsOptions } from './options.ts';

export type { AppendedPosition, EventPlace, EventToAppend } from './event.ts';
export type { ConsumerGroupCounters, PartitionCounters, ReaderCounters } from './event-hub.ts';
export type { EventHubOptions, EventHubsOptions } from './options.ts';
export type { Retention } from './partition.ts';

/** Tells clients of IoT Hub and DPS on the port of plain AMQP which port they need. */
const IOT_OVER_PLAIN_AMQP = createAbsentService({
  name: 'IoT Hub and DPS',
  hosts: IOT_HOSTS,
  knows: isOfIotHub,
  reason: notHere('AMQP of IoT Hub and DPS without TLS is not in the local hub. Use the port amqps (5671).'),
});

/** A running local Azure Event Hubs namespace. */
export interface EventHubs {
  /** The port of plain AMQP. */
  readonly port: number;
  /** The namespace, for a server that serves several services over TLS or WebSockets. */
  readonly amqp: AmqpService;
  /**
   * Connection string for Azure's SDKs.
   *
   * @param policy default: the public one of Microsoft's emulator, for the whole namespace.
   */
  connectionString(hub?: string, policy?: EventHubPolicy): string;
  /**
   * Appends an event as if a client had sent it, without the network.
   *
   * @throws LocalError `BERTH_LOCAL_EVENT_HUB_UNKNOWN`, `BERTH_LOCAL_EVENT_TOO_LARGE`,
   *   `BERTH_LOCAL_EVENT_HUBS_CLOSED`
   */
  append(hub: string, event: EventToAppend): AppendedPosition;
  /**
   * Counters of each partition of an event hub.
   *
   * @throws LocalError `BERTH_LOCAL_EVENT_HUB_UNKNOWN`
   */
  partitions(hub: string): readonly PartitionCounters[];
  /** Ends every connection and closes the journals. */
  close(): Promise<void>;
}

/**
 * Serves event hubs over plain AMQP 1.0 on loopback, as Microsoft's emulator does.
 *
 * @example
 * const eventHubs = await startEventHubs({ port: 0, hubs: [{ name: 'twin-events', partitionCount: 4, consumerGroups: [] }] });
 * const producer = new EventHubProducerClient(eventHubs.connectionString('twin-events'));
 *
 * @throws LocalError `BERTH_LOCAL_EVENT_HUBS_OPTIONS`, `BERTH_LOCAL_EVENT_LOG_UNREADABLE`,
 *   `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startEventHubs(options: EventHubsOptions): Promise<EventHubs> {
  const log = options.log ?? silent;
  const now = options.now ?? Date.now;
  const hubs = openHubs(options, now);
  const findHub = (name: string) => hubs.get(name.toLowerCase());

  const amqp = createEventHubsService({ findHub, now });
  let server: AmqpServer;
  try {
    server = await startAmqp({
      name: 'Event Hubs',
      port: options.port,
      services: [amqp, IOT_OVER_PLAIN_AMQP],
      log,
    });
  } catch (error) {
    for (const hub of hubs.values()) hub.close();
    throw error;
  }
  let closing: Promise<void> | undefined;

  const hubNamed = (name: string): EventHub => {
    const hub = findHub(name);
    if (hub === undefined) throw unknownHub(`Unknown event hub "${name}"`);
    return hub;
  };

  return {
    port: server.port,
    amqp,
    connectionString: (hub, policy = ACCESS_KEY) => connectionString(server.port, hub, policy),
    append(name, event) {
      if (closing !== undefined) {
        throw new LocalError(
          'BERTH_LOCAL_EVENT_HUBS_CLOSED',
          `The event hub "${name}" is closed and accepts no events.`,
        );
      }
      return appendEvent(hubNamed(name), event);
    },
    partitions: (name) => hubNamed(name).counters(),
    close() {
      closing ??= server.close().then(() => {
        for (const hub of hubs.values()) hub.close();
      });
      return closing;
    },
  };
}

function openHubs(options: EventHubsOptions, now: () => number): ReadonlyMap<string, EventHub> {
  checkHubs(options.hubs);
  const retention = { ...DEFAULT_RETENTION, ...options.retention };
  const hubs = new Map<string, EventHub>();
  try {
    for (const hub of options.hubs) {
      const limits = { ...retention, ...hub.retention };
      hubs.set(hub.name.toLowerCase(), new EventHub(hub, options.directory, limits, now));
    }
  } catch (error) {
    for (const hub of hubs.values()) hub.close();
    throw error;
  }
  return hubs;
}

function appendEvent(hub: EventHub, event: EventToAppend): AppendedPosition {
  const partition = event.partitionId === undefined ? undefined : hub.partition(event.partitionId);
  if (event.partitionId !== undefined && partition === undefined) {
    throw unknownHub(`The event hub "${hub.name}" has no partition "${event.partitionId}"`);
  }
  const placed =
    partition ?? (event.placementKey === undefined ? undefined : hub.partitionOfKey(event.placementKey));
  const message = encodeEvent(event);
  if (message.length > MAX_MESSAGE_SIZE) {
    throw new LocalError(
      'BERTH_LOCAL_EVENT_TOO_LARGE',
      `An event has ${message.length} bytes. The event hub "${hub.name}" accepts at most ${MAX_MESSAGE_SIZE}.`,
    );
  }
  const [position] = hub.append(readProducedEvents(message, STANDARD_MESSAGE_FORMAT), placed);
  if (position === undefined) throw new Error('An event was appended without a position.');
  return position;
}

function unknownHub(sentence: string): LocalError {
  return new LocalError('BERTH_LOCAL_EVENT_HUB_UNKNOWN', `${sentence}.`);
}

/**
 * A connection string of Microsoft's Event Hubs emulator (Azure/azure-event-hubs-emulator-installer), for
 * another port.
 */
function connectionString(port: number, hub: string | undefined, { keyName, key }: EventHubPolicy): string {
  const parts = [
    `Endpoint=sb://localhost:${port}`,
    `SharedAccessKeyName=${keyName}`,
    `SharedAccessKey=${key}`,
    'UseDevelopmentEmulator=true',
  ];
  if (hub !== undefined) parts.push(`EntityPath=${hub}`);
  return `${parts.join(';')};`;
}
