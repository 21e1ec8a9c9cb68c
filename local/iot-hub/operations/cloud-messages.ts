import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../../src/json/json.ts';
import type { Entry } from '../hub/device-store.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import { type Address, addressPath } from '../model/address.ts';
import type { CloudMessage } from '../model/cloud-message.ts';
import type { FeedbackStatus } from '../model/feedback.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { isHeader } from '../model/message-headers.ts';
import { sizeOfMessage } from '../model/message-size.ts';
import { recordFeedback } from './feedback.ts';

/* Limits: iot-hub-devguide-messages-c2d.md and "IoT Hub quotas and throttling". */
const MAX_MESSAGE_BYTES = 64 * 1024;
const MAX_QUEUED = 50;

/** A message that a service sends. */
export interface NewCloudMessage {
  readonly body: Buffer;
  /** As in `CloudMessage`. Without `$.to`, the hub makes it. */
  readonly system: Readonly<Record<string, string>>;
  readonly properties: CloudMessage['properties'];
  /** Milliseconds since the epoch; undefined: after the time to live of the hub. */
  readonly expires: number | undefined;
}

/**
 * Sends a message as a service does: when the throttle permits it.
 *
 * @throws HubRefusal as `enqueueCloudMessage`, and `ThrottlingException`, `IotHubQuotaExceeded`
 */
export async function sendCloudMessage(
  hub: LocalHub,
  address: Address,
  message: NewCloudMessage,
): Promise<void> {
  await hub.admit('cloudMessages');
  enqueueCloudMessage(hub, address, message);
}

/**
 * Puts a message into the queue of a device and delivers it if the device is connected and subscribed.
 *
 * @throws HubRefusal `DeviceNotFound`, `RequestTooLarge`, `ArgumentInvalid`, `DeviceMaximumQueueDepthExceeded`
 */
export function enqueueCloudMessage(hub: LocalHub, address: Address, message: NewCloudMessage): void {
  const { lastMessage = 0 } = entryOf(hub, address);
  const bytes = sizeOfMessage({
    body: message.body,
    system: Object.values(message.system),
    application: Object.entries(message.properties),
  });
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new HubRefusal(
      'RequestTooLarge',
      `A cloud-to-device message has at most ${MAX_MESSAGE_BYTES} bytes with its properties. This one has ${bytes}.`,
    );
  }
  const illegal = Object.entries(message.properties).find(([name, value]) => !isHeader(name, value));
  if (illegal !== undefined) {
    throw new HubRefusal(
      'ArgumentInvalid',
      `The application property ${JSON.stringify(illegal[0].slice(0, 100))} cannot be sent. Its name may only contain ASCII letters, digits and !#$%&'*+-.^_\`|~, its value only ASCII characters.`,
    );
  }
  if (message.expires !== undefined && Number.isNaN(new Date(message.expires).getTime())) {
    throw new HubRefusal('ArgumentInvalid', `The expiry of the message is not a time: ${message.expires}.`);
  }
  const queued = queuedMessages(hub, address);
  if (queued.length >= MAX_QUEUED) {
    throw new HubRefusal(
      'DeviceMaximumQueueDepthExceeded',
      `Device queue depth cannot exceed ${MAX_QUEUED} messages`,
    );
  }
  const sequenceNumber = lastMessage + 1;
  const messageId = message.system['$.mid'];
  const enqueued: CloudMessage = {
    id: randomUUID(),
    body: message.body.toString('base64'),
    system: {
      ...(messageId !== undefined && { '$.mid': messageId }),
      '$.to': `/${addressPath(address)}/messages/devicebound`,
      ...(message.expires !== undefined && { '$.exp': expiryText(message.expires) }),
      ...message.system,
    },
    properties: message.properties,
    expires: message.expires ?? hub.now() + hub.cloudToDevice.timeToLiveMs,
    deliveryCount: 0,
    sequenceNumber,
    enqueuedAt: hub.now(),
  };
  keep(hub, address, [...queued, enqueued], sequenceNumber);
  hub.spend(bytes);
  hub.observe({ kind: 'message', address, ...message });
  hub.connections.link(address)?.deliver();
}

/**
 * An expiry that the sender has set, in the topic of its message. The SDK for C# reads exactly seven digits
 * (`DateTime.ParseExact(…, "o")`).
 */
function expiryText(expires: number): string {
  return new Date(expires).toISOString().replace('Z', '0000Z');
}

/** The messages in the queue of a device, oldest first. Expired messages are gone. */
export function queuedMessages(hub: LocalHub, address: Address): readonly CloudMessage[] {
  const now = hub.now();
  return (hub.store.get(address)?.inbox ?? []).filter(({ expires }) => expires > now);
}

/** A message that its device has received and holds. The token settles it. */
export interface LockedCloudMessage {
  readonly message: CloudMessage;
  readonly token: string;
}

/** Locks the oldest message that the device does not hold; undefined: there is none. */
export function lockNextMessage(hub: LocalHub, address: Address): LockedCloudMessage | undefined {
  const message = queuedMessages(hub, address).find(({ id }) => !hub.messageLocks.isLocked(id));
  return message && { message, token: hub.messageLocks.lock(address, message.id) };
}

/**
 * Gives a message back that the device has abandoned. Only this raises its delivery count: an expired lock does not ("Message
 * life cycle" of the same page). At the largest count, it leaves the queue (Azure dead-letters it).
 */
export function abandonMessage(hub: LocalHub, address: Address, { id }: CloudMessage): void {
  const queued = queuedMessages(hub, address);
  const deliveryCount = 1 + (queued.find((message) => message.id === id)?.deliveryCount ?? 0);
  if (deliveryCount >= hub.cloudToDevice.maxDeliveryCount) {
    end(hub, address, id, 'DeliveryCountExceeded');
    return;
  }
  const counted = queued.map((message) => (message.id === id ? { ...message, deliveryCount } : message));
  keep(hub, address, counted);
  hub.connections.link(address)?.deliver();
}

/** Ends the locks of a connection that has ended. The messages go to the present connection of the device. */
export function unlockMessages(hub: LocalHub, address: Address, tokens: Iterable<string>): void {
  for (const token of tokens) hub.messageLocks.release(address, token);
  hub.connections.link(address)?.deliver();
}

/** Delivers the messages again whose locks have expired. */
export function deliverUnlocked(hub: LocalHub): void {
  for (const address of hub.messageLocks.takeExpired()) hub.connections.link(address)?.deliver();
}

/** Removes a message that the device has acknowledged. */
export function completeMessage(hub: LocalHub, address: Address, { id }: CloudMessage): void {
  end(hub, address, id, 'Success');
}

/** Removes a message that the device has rejected (Azure dead-letters it). */
export function rejectMessage(hub: LocalHub, address: Address, { id }: CloudMessage): void {
  end(hub, address, id, 'Rejected');
}

/** Removes the messages of all devices that have expired, so that their senders get feedback in time. */
export function expireMessages(hub: LocalHub): void {
  const now = hub.now();
  const hasExpired = ({ inbox }: Entry) => inbox?.some(({ expires }) => expires <= now) === true;
  // The store must not change while it is read.
  const expired = [hub.store.sorted(), hub.store.sortedModules()].flatMap((entries) => [
    ...entriesWhere(entries, hasExpired),
  ]);
  for (const { identity } of expired) keep(hub, identity, queuedMessages(hub, identity));
}

function* entriesWhere(entries: Iterable<Entry>, isWanted: (entry: Entry) => boolean): Iterable<Entry> {
  for (const entry of entries) if (isWanted(entry)) yield entry;
}

/** Empties the queue of a device. @throws HubRefusal `DeviceNotFound` */
export function purgeMessages(hub: LocalHub, address: Address): JsonObject {
  const entry = entryOf(hub, address);
  const purged = queuedMessages(hub, address);
  keep(hub, address, []);
  for (const message of purged) recordFeedback(hub, entry, message, 'Purged');
  const count = purged.length;
  return { deviceId: address.deviceId, moduleId: address.moduleId ?? null, totalMessagesPurged: count };
}

/** Ends a message of the queue. A message that is not in the queue has ended before. */
function end(hub: LocalHub, address: Address, id: string, status: FeedbackStatus): void {
  const queued = queuedMessages(hub, address);
  const ended = queued.find((message) => message.id === id);
  keep(
    hub,
    address,
    queued.filter((message) => message.id !== id),
  );
  const entry = hub.store.get(address);
  if (ended !== undefined && entry !== undefined) recordFeedback(hub, entry, ended, status);
}

/**
 * Stores the queue of a device, and the number of a new message. A message that has left the queue has no packet id. The
 * messages that have expired since the last time get feedback.
 */
function keep(hub: LocalHub, address: Address, inbox: readonly CloudMessage[], lastMessage?: number): void {
  const entry = hub.store.get(address);
  if (entry === undefined) return;
  const now = hub.now();
  const { inbox: before = [], packetIds = {}, ...rest } = entry;
  const sent = Object.entries(packetIds).filter(([id]) => inbox.some((message) => message.id === id));
  hub.store.put({
    ...rest,
    ...(inbox.length > 0 && { inbox }),
    ...(sent.length > 0 && { packetIds: Object.fromEntries(sent) }),
    ...(lastMessage !== undefined && { lastMessage }),
  });
  for (const message of before) if (message.expires <= now) recordFeedback(hub, entry, message, 'Expired');
}
