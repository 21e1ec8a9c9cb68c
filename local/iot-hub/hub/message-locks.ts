import { randomUUID } from 'node:crypto';

/** A received message stays locked for a minute (iot-hub-devguide-messages-c2d.md). */
export const LOCK_MS = 60_000;

/** The locks of cloud-to-device messages that devices have received over HTTPS. They are not stored. */
export interface MessageLocks {
  isLocked(messageId: string): boolean;
  /** Locks a message. Returns the token. */
  lock(messageId: string): string;
  /** Ends a lock. Returns its message; undefined if the token is unknown or has expired. */
  release(token: string): string | undefined;
}

export function createMessageLocks(now: () => number): MessageLocks {
  const locks = new Map<string, { readonly messageId: string; readonly until: number }>();
  const prune = () => {
    for (const [token, { until }] of locks) if (until <= now()) locks.delete(token);
  };
  return {
    isLocked(messageId) {
      prune();
      return [...locks.values()].some((lock) => lock.messageId === messageId);
    },
    lock(messageId) {
      const token = randomUUID();
      locks.set(token, { messageId, until: now() + LOCK_MS });
      return token;
    },
    release(token) {
      prune();
      const messageId = locks.get(token)?.messageId;
      locks.delete(token);
      return messageId;
    },
  };
}
