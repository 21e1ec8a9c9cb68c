import { randomUUID } from 'node:crypto';
import { type Address, addressKey } from '../model/address.ts';

/** A message that a device has received stays locked for a minute (iot-hub-devguide-messages-c2d.md). */
export const LOCK_MS = 60_000;

/**
 * The locks of cloud-to-device messages that devices have received and not settled, over all transports. They are not
 * stored.
 */
export interface MessageLocks {
  isLocked(messageId: string): boolean;
  /** Locks a message of a device. Returns the token. */
  lock(address: Address, messageId: string): string;
  /** Ends a lock of this device. Returns its message; undefined if it has no such lock, or the lock has expired. */
  release(address: Address, token: string): string | undefined;
  /** Ends the locks that have expired. Returns the devices that had them. */
  takeExpired(): readonly Address[];
}

export function createMessageLocks(now: () => number): MessageLocks {
  const locks = new Map<
    string,
    { readonly address: Address; readonly messageId: string; readonly until: number }
  >();
  return {
    isLocked: (messageId) =>
      [...locks.values()].some((lock) => lock.messageId === messageId && lock.until > now()),
    lock(address, messageId) {
      const token = randomUUID();
      locks.set(token, { address, messageId, until: now() + LOCK_MS });
      return token;
    },
    release(address, token) {
      const lock = locks.get(token);
      if (lock === undefined || addressKey(lock.address) !== addressKey(address)) return undefined;
      locks.delete(token);
      return lock.until > now() ? lock.messageId : undefined;
    },
    takeExpired() {
      const expired = [...locks].filter(([, { until }]) => until <= now());
      for (const [token] of expired) locks.delete(token);
      return expired.map(([, { address }]) => address);
    },
  };
}
