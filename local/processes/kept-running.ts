import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { Child } from './child.ts';

/** A process that is started again when it ends by itself. */
export interface KeptRunning {
  readonly name: string;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  readonly restarts: number;
  /** To the process that runs now. */
  send(message: object): void;
  /** Ends it for good. */
  stop(graceMs: number): Promise<void>;
}

const RESTART_AFTER_MS = 1_000;

/** Starts a process, and starts it again a second after it has ended, until it is stopped. */
export function keepRunning(name: string, start: () => Child, log: Log): KeptRunning {
  const stopping = new AbortController();
  let child = start();
  let isRunning = true;
  let restarts = 0;
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const how = await child.ended;
      isRunning = false;
      if (stopping.signal.aborted) return;
      log.warn(`The ${name} ended (${how}); it starts again in a second.`);
      await delay(RESTART_AFTER_MS, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      child = start();
      isRunning = true;
      restarts += 1;
    }
  };
  const watching = watch();
  return {
    name,
    get pid() {
      return isRunning ? child.pid : undefined;
    },
    get isRunning() {
      return isRunning;
    },
    get restarts() {
      return restarts;
    },
    send: (message) => child.send(message),
    async stop(graceMs) {
      stopping.abort();
      if (isRunning) await child.stop(graceMs);
      await watching;
    },
  };
}
