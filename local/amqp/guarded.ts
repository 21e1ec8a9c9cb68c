import type { Connection } from 'rhea';

/** A link of a client, or anything else that has its connection. */
interface OfConnection {
  readonly connection: Connection;
}

/**
 * Runs an action for a link in a callback that rhea's guards do not cover, such as a timer or a call from another client. If it
 * throws, only the connection of the link ends, with a line in the log.
 */
export function guarded({ connection }: OfConnection, action: () => void): void {
  try {
    action();
  } catch (error) {
    connection.emit('error', error);
  }
}

/** Runs an action for a link after the present tick, as `guarded` does. */
export function guardedLater(link: OfConnection, action: () => void): void {
  setImmediate(() => guarded(link, action));
}
