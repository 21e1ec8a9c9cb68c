import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { isObject } from '../../../src/json/json.ts';
import { openJournal } from '../../journal.ts';
import { type CloudToDeviceOptions, NEW_CLOUD_TO_DEVICE } from './cloud-to-device.ts';

/** The journal is compacted when it has this many lines more than four times the number of messages. */
const COMPACT_SLACK = 1000;

/** A message for services: a batch of feedback, or a file notification. */
export interface ServiceMessage {
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly enqueuedAt: number;
  /** How often it was given back. */
  readonly deliveryCount: number;
}

/** A message that one receiver holds. */
export interface LockedMessage extends ServiceMessage {
  /** A UUID. The receiver settles the message with it. */
  readonly lockToken: string;
}

/**
 * A queue that services receive from. Each message goes to one receiver, which has a minute (by default) to settle it. A
 * message that is given back too often, or too old, is dropped.
 */
export interface ServiceQueue {
  add(body: string): void;
  /** Locks the oldest message that is free; undefined: there is none. */
  receive(): LockedMessage | undefined;
  /** Ends a message. Returns false if the lock is unknown or has expired. */
  complete(lockToken: string): boolean;
  /** Gives a message back. Returns false if the lock is unknown or has expired. */
  abandon(lockToken: string): boolean;
  /** Calls the listener when a message may be free. Returns a function that ends this. */
  onMessage(listener: () => void): () => void;
  /** Frees messages whose lock has expired. Call it from time to time. */
  look(): void;
  close(): void;
}

type StoredMessage = { readonly put: ServiceMessage } | { readonly remove: string };

const PUT = z.looseObject({
  put: z.looseObject({
    id: z.string().min(1),
    body: z.string(),
    enqueuedAt: z.number(),
    deliveryCount: z.int().min(0),
  }),
});
const REMOVE = z.looseObject({ remove: z.string().min(1) });

/**
 * Opens the queue in `file`; undefined: in memory only. Locks are not stored.
 *
 * @param options default: those of a new hub, for feedback and for file notifications (iot-hub-devguide-file-upload.md).
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openServiceQueue(
  file: string | undefined,
  now: () => number,
  options: CloudToDeviceOptions['feedback'] = NEW_CLOUD_TO_DEVICE.feedback,
): ServiceQueue {
  const { timeToLiveMs, lockMs, maxDeliveryCount } = options;
  const messages = new Map<string, ServiceMessage>();
  const locks = new Map<string, { readonly id: string; readonly until: number }>();
  const listeners = new Set<() => void>();
  let lines = 0;
  const keep = (line: StoredMessage): void => {
    if ('put' in line) messages.set(line.put.id, line.put);
    else messages.delete(line.remove);
  };
  const journal = openJournal<StoredMessage>(file, (record) => {
    (isObject(record) && 'remove' in record ? REMOVE : PUT).parse(record);
    lines += 1;
    keep(record as StoredMessage);
  });
  const write = (line: StoredMessage): void => {
    journal.append(line);
    lines += 1;
    keep(line);
    if (lines <= 4 * messages.size + COMPACT_SLACK) return;
    lines = messages.size;
    journal.compact([...messages.values()].map((message) => ({ put: message })));
  };
  const prune = (): void => {
    for (const [token, { until }] of locks) if (until <= now()) locks.delete(token);
    for (const { id, enqueuedAt } of messages.values()) {
      if (enqueuedAt + timeToLiveMs <= now()) write({ remove: id });
    }
  };
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const unlock = (lockToken: string): ServiceMessage | undefined => {
    prune();
    const id = locks.get(lockToken)?.id;
    locks.delete(lockToken);
    return id === undefined ? undefined : messages.get(id);
  };
  return {
    add(body) {
      write({ put: { id: randomUUID(), body, enqueuedAt: now(), deliveryCount: 0 } });
      tell();
    },
    receive() {
      prune();
      const locked = new Set([...locks.values()].map(({ id }) => id));
      const message = [...messages.values()].find(({ id }) => !locked.has(id));
      if (message === undefined) return undefined;
      const lockToken = randomUUID();
      locks.set(lockToken, { id: message.id, until: now() + lockMs });
      return { ...message, lockToken };
    },
    complete(lockToken) {
      const message = unlock(lockToken);
      if (message !== undefined) write({ remove: message.id });
      return message !== undefined;
    },
    abandon(lockToken) {
      const message = unlock(lockToken);
      if (message === undefined) return false;
      const deliveryCount = message.deliveryCount + 1;
      if (deliveryCount >= maxDeliveryCount) write({ remove: message.id });
      else write({ put: { ...message, deliveryCount } });
      tell();
      return true;
    },
    onMessage(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    look() {
      if (messages.size === 0) return;
      const before = locks.size;
      prune();
      if (locks.size < before) tell();
    },
    close: () => journal.close(),
  };
}
