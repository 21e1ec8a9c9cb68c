import { setTimeout as delay } from 'node:timers/promises';
import type { LocalLog } from '../log.ts';
import type { Child } from './child.ts';

/** A process that is started again when it ends by itself. */
export interface KeptRunning {
  readonly name: string;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** How often it has been started again. */
  readonly restarts: number;
  /** To the process that runs now. */
  send(message: object): void;
  /** Ends the process that runs now, so that another takes its place. It gets so long to end, ms. */
  renew(graceMs: number): Promise<void>;
  /** Ends it for good. */
  stop(graceMs: number): Promise<void>;
}

export interface KeepRunningOptions {
  /** As `GET /processes` names it. */
  readonly name: string;
  /** As a sentence begins with it; default: "The" and the name. */
  readonly title?: string;
  /** The process that runs already; default: it is started now. */
  readonly first?: Child;
  readonly start: () => Child;
  /** Why it cannot start again now, as a sentence; it is tried again later. Default: it always can. */
  readonly obstacle?: () => Promise<string | undefined>;
  readonly log: LocalLog;
  readonly clock?: Clock;
}

/** Milliseconds since the epoch, and a wait in milliseconds that ends early when the signal is aborted. */
export interface Clock {
  now(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const SYSTEM_CLOCK: Clock = {
  now: Date.now,
  wait: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
};

const RESTART_AFTER_MS = 1_000;
/** A process that ends again and again is started more and more seldom. */
const LONGEST_WAIT_MS = 30_000;
const SHORT_LIFE_MS = 10_000;

/** Starts a process, and starts it again a second after it has ended, until it is stopped. */
export function keepRunning(options: KeepRunningOptions): KeptRunning {
  const { name, title = `The ${name}`, start, obstacle = async () => undefined, log } = options;
  const { clock = SYSTEM_CLOCK } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let child = options.first ?? start();
  let isRunning = true;
  let restarts = 0;
  let shortLives = 0;

  /** Waits until nothing is in the way, and says once what is. */
  const clear = async (): Promise<void> => {
    let told: string | undefined;
    for (let found = await obstacle(); found !== undefined && !signal.aborted; found = await obstacle()) {
      if (found !== told) log.warn(`${title} cannot start: ${found} It is tried again every second.`);
      told = found;
      await clock.wait(RESTART_AFTER_MS, signal);
    }
  };
  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      const startedAt = clock.now();
      const how = await child.ended;
      isRunning = false;
      if (signal.aborted) return;
      const isShort = clock.now() - startedAt < SHORT_LIFE_MS;
      const waitMs = isShort
        ? Math.min(LONGEST_WAIT_MS, RESTART_AFTER_MS * 2 ** shortLives)
        : RESTART_AFTER_MS;
      shortLives = isShort ? shortLives + 1 : 0;
      log.warn(
        `${title} ended (${how}); it starts again in ${waitMs === 1_000 ? 'a second' : `${waitMs / 1_000} s`}.`,
      );
      await clock.wait(waitMs, signal);
      await clear();
      if (signal.aborted) return;
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
    async renew(graceMs) {
      if (isRunning) await child.stop(graceMs);
    },
    async stop(graceMs) {
      stopping.abort();
      if (isRunning) await child.stop(graceMs);
      await watching;
    },
  };
}
