import type { JsonValue } from '../../../src/json/json.ts';
import {
  isTopic,
  type MqttConnection,
  type MqttMessage,
  type MqttPacketId,
  type MqttSession,
  type MqttSubscriptions,
} from '../../mqtt/index.ts';
import type { DeviceLink } from '../hub/connections.ts';
import { connectDevice, disconnectDevice, type LocalHub } from '../hub/hub.ts';
import { type Address, addressPath } from '../model/address.ts';
import { checkUserNameVersion } from '../model/api-version.ts';
import type { CloudMessage } from '../model/cloud-message.ts';
import type { Entry } from '../model/entry.ts';
import { errorDocument, HubRefusal } from '../model/hub-error.ts';
import { sectionForDevice } from '../model/twin.ts';
import {
  completeMessage,
  lockNextMessage,
  rejectMessage,
  unlockMessages,
} from '../operations/cloud-messages.ts';
import { warnAboutInputs } from '../operations/input-messages.ts';
import { acceptTelemetry } from '../operations/telemetry.ts';
import { countRefusal, readOwnTwin, report } from './device-requests.ts';
import {
  cloudMessageTopic,
  DESIRED_PATCHES,
  desiredPatchTopic,
  isDeviceFilter,
  isInputFilter,
  isMessageFilter,
  METHOD_CALLS,
  methodCallTopic,
  parseDeviceTopic,
  TWIN_RESPONSES,
  twinResponseTopic,
} from './device-topics.ts';
import { createPacketIds } from './packet-ids.ts';

/** Longest delay of a timer in Node.js. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface AcceptedDevice {
  readonly address: Address;
  /** The api-version of its user name; undefined: none. */
  readonly apiVersion: string | undefined;
  /** Whether its subscriptions end with the connection. */
  readonly cleanSession: boolean;
  /** Time at which its token expires, in milliseconds since the epoch. The hub then closes the connection. */
  readonly expires: number | undefined;
  /** Its Will message, with the topic of its telemetry; undefined: none. */
  readonly will: MqttMessage | undefined;
}

/** Handles the connection of a device or module in the hub. */
export function openDeviceSession(hub: LocalHub, accepted: AcceptedDevice): MqttSession {
  const { address, apiVersion, cleanSession, expires, will } = accepted;
  const restored = cleanSession ? NO_SUBSCRIPTIONS : subscriptionsOf(hub.store.get(address));
  let connection: MqttConnection | undefined;
  let expiry: NodeJS.Timeout | undefined;
  let messageFilter: string | undefined;
  let hasInputs = false;
  /** The locks of the messages that the device has not acknowledged. */
  const held = new Set<string>();
  let packetIds = createPacketIds({});

  const link: DeviceLink = {
    notifyDesired: (patch) =>
      send(DESIRED_PATCHES, desiredPatchTopic(patch.version), sectionForDevice(patch)),
    callMethod: ({ requestId, name, payload }) =>
      connection?.publish(METHOD_CALLS, {
        topic: methodCallTopic(name, requestId),
        payload: Buffer.from(payload),
      }) ?? false,
    deliver,
    fail: (target) => {
      if (target === 'transport') connection?.close();
    },
    close: () => connection?.close(),
  };

  /**
   * Sends the messages that the device does not hold. A message leaves the queue when the device acknowledges it. It is sent
   * again when its lock has expired, and by the next connection. Both are deliveries of one packet, unless the next connection
   * is a new session.
   */
  function deliver(): void {
    if (messageFilter === undefined || connection === undefined) return;
    for (let next = lockNextMessage(hub, address); next !== undefined; next = lockNextMessage(hub, address)) {
      const { message, token } = next;
      held.add(token);
      const topic = cloudMessageTopic(address, message);
      if (!isTopic(topic)) {
        held.delete(token);
        hub.messageLocks.release(address, token);
        hub.log.warn(
          `${hub.name}: a message to ${addressPath(address)} is dead-lettered. Its properties do not fit into a topic of MQTT.`,
        );
        rejectMessage(hub, address, message);
        continue;
      }
      const payload = Buffer.from(message.body, 'base64');
      connection.publish(
        messageFilter,
        { topic, payload },
        {
          packetId: () => packetIdOf(message),
          acknowledged() {
            packetIds.release(message.id);
            held.delete(token);
            hub.messageLocks.release(address, token);
            completeMessage(hub, address, message);
          },
        },
      );
    }
  }

  /** A session that lasts keeps the ids (MQTT 3.1.1, 3.1.2.4). */
  function packetIdOf({ id }: CloudMessage): MqttPacketId {
    const packetId = packetIds.take(id);
    const entry = hub.store.get(address);
    if (!cleanSession && !packetId.isSentAgain && entry !== undefined)
      hub.store.put({ ...entry, packetIds: packetIds.all() });
    return packetId;
  }

  function send(filter: string, topic: string, content?: JsonValue): boolean {
    const payload = content === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(content));
    return connection?.publish(filter, { topic, payload }) ?? false;
  }

  /**
   * Runs a twin request and answers it. The SDK reads the error from the body, not from the status.
   */
  async function answer(requestId: string, request: () => Promise<{ topic: string; body?: JsonValue }>) {
    try {
      checkUserNameVersion(apiVersion);
      if (requestId === '') throw new HubRefusal('ArgumentInvalid', 'The topic has no $rid.');
      const { topic, body } = await request();
      send(TWIN_RESPONSES, topic, body);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      countRefusal(hub, error);
      send(TWIN_RESPONSES, twinResponseTopic(error.status, requestId), errorDocument(error, hub.now()));
    }
  }

  const getTwin = (requestId: string) =>
    answer(requestId, async () => ({
      topic: twinResponseTopic(200, requestId),
      body: await readOwnTwin(hub, address),
    }));

  const takeReport = (requestId: string, payload: Buffer, baseVersion: string | undefined) =>
    answer(requestId, async () => ({
      topic: twinResponseTopic(204, requestId, await report(hub, address, payload, baseVersion)),
    }));

  /**
   * MQTT 3.1.1 has no negative answer to a publish, so a refused message ends the connection.
   */
  async function takeTelemetry(
    properties: ReadonlyMap<string, string>,
    { payload, isRetained }: MqttMessage,
  ): Promise<void> {
    const [system, application] = partition(properties);
    if (isRetained === true) application.set('mqtt-retain', 'true');
    try {
      await acceptTelemetry(hub, address, [{ body: payload, system, application }]);
    } catch (error) {
      if (error instanceof HubRefusal) countRefusal(hub, error);
      throw error;
    }
  }

  /** A clean session discards the earlier one (MQTT 3.1.1, 3.1.2.4). */
  function forgetSession(): void {
    const entry = hub.store.get(address);
    if (entry?.subscriptions === undefined && entry?.packetIds === undefined) return;
    const { subscriptions, atMostOnce, packetIds: dropped, ...rest } = entry;
    hub.store.put(rest);
  }

  /** A Will message is telemetry with a property that says so (iot-mqtt-connect-to-iot-hub.md). */
  function sendWill(message: MqttMessage): void {
    const request = parseDeviceTopic(message.topic, address);
    if (request?.kind !== 'telemetry') return;
    const properties = new Map(request.properties).set('iothub-MessageType', 'Will');
    takeTelemetry(properties, message).catch((error: unknown) => {
      // No one is left to be told of a refusal. It is counted.
      if (!(error instanceof HubRefusal) && !hub.closing.aborted)
        hub.log.error(`A Will message failed: ${String(error)}`);
    });
  }

  return {
    restored,
    opened(opened) {
      connection = opened;
      hub.counters.deviceConnections += 1;
      if (cleanSession) forgetSession();
      packetIds = createPacketIds(hub.store.get(address)?.packetIds ?? {});
      connectDevice(hub, address, link);
      messageFilter = [...restored.keys()].find(isMessageFilter);
      deliver();
      if (expires !== undefined) {
        expiry = setTimeout(link.close, Math.min(expires - hub.now(), MAX_TIMER_MS)).unref();
      }
    },
    grants(filter) {
      const isGranted = isDeviceFilter(filter, address);
      if (!isGranted) {
        const asked = JSON.stringify(filter.slice(0, 200));
        hub.log.warn(`${hub.name}: ${addressPath(address)} cannot subscribe to ${asked}.`);
      }
      return isGranted;
    },
    subscribed(subscriptions) {
      const entry = hub.store.get(address);
      const filters = [...subscriptions.keys()];
      if (!cleanSession && entry !== undefined) {
        const atMostOnce = filters.filter((filter) => subscriptions.get(filter) === 0);
        hub.store.put({ ...entry, subscriptions: filters, atMostOnce });
      }
      messageFilter = filters.find(isMessageFilter);
      deliver();
      const hadInputs = hasInputs;
      hasInputs = filters.some((filter) => isInputFilter(filter, address));
      if (hasInputs && !hadInputs) warnAboutInputs(hub, address);
    },
    async received(message) {
      const { topic, payload } = message;
      const request = parseDeviceTopic(topic, address);
      switch (request?.kind) {
        case 'getTwin':
          return getTwin(request.requestId);
        case 'reportProperties':
          return takeReport(request.requestId, payload, request.baseVersion);
        case 'telemetry':
          return takeTelemetry(request.properties, message);
        case 'methodResponse': {
          const { requestId, status } = request;
          hub.methods.answered(address, requestId, { status, body: payload.toString('utf8') });
          return;
        }
        case undefined:
          throw new HubRefusal(
            'ArgumentInvalid',
            `${addressPath(address)} published to ${JSON.stringify(topic.slice(0, 200))}, a topic of another device or an unknown topic.`,
          );
      }
    },
    closed(isClean) {
      clearTimeout(expiry);
      if (will !== undefined && !isClean) sendWill(will);
      disconnectDevice(hub, address, link);
      connection = undefined;
      unlockMessages(hub, address, held);
    },
  };
}

const NO_SUBSCRIPTIONS: MqttSubscriptions = new Map();

function subscriptionsOf(entry: Entry | undefined): MqttSubscriptions {
  const { subscriptions = [], atMostOnce = [] } = entry ?? {};
  return new Map(subscriptions.map((filter) => [filter, atMostOnce.includes(filter) ? 0 : 1]));
}

/** Separates system properties, which begin with `$.`, from application properties. */
function partition(properties: ReadonlyMap<string, string>) {
  const system = new Map<string, string>();
  const application = new Map<string, string>();
  for (const [name, value] of properties) (name.startsWith('$.') ? system : application).set(name, value);
  return [system, application] as const;
}
