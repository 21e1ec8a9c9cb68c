import { setTimeout as delay } from 'node:timers/promises';
import type { LocalLog } from '../log.ts';
import type { Child } from './child.ts';

/** A process that restarts after an unexpected end. */
export interface KeptRunning {
  readonly name: string;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** The number of restarts. */
  readonly restarts: number;
  /** Sends a message to the current process. */
  send(message: object): void;
  /** Ends the current process within `graceMs` milliseconds. A new one replaces it. */
  renew(graceMs: number): Promise<void>;
  /** Ends the process and does not restart it. */
  stop(graceMs: number): Promise<void>;
}

export interface KeepRunningOptions {
  /** The name in `GET /processes`. */
  readonly name: string;
  /** The name at the start of a sentence; default: "The" and the name. */
  readonly title?: string;
  /** A process that is already running; default: a new one. */
  readonly first?: Child;
  readonly start: () => Child;
  /** The reason why the process cannot restart now, as a sentence; undefined if it can. Default: it always can. */
  readonly obstacle?: () => Promise<string | undefined>;
  /** Whether the process responds. One that has responded and then does not for a minute is ended. Default: it always does. */
  readonly responds?: () => Promise<boolean>;
  readonly log: LocalLog;
  readonly clock?: Clock;
}

/** The time in milliseconds since the epoch, and a wait in milliseconds. An aborted signal ends the wait. */
export interface Clock {
  now(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const SYSTEM_CLOCK: Clock = {
  now: Date.now,
  wait: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
};

const RESTART_AFTER_MS = 1_000;
/** If a process ends at once several times, the wait before its restart doubles up to this. */
const LONGEST_WAIT_MS = 30_000;
const SHORT_LIFE_MS = 10_000;
const PROBE_EVERY_MS = 5_000;
/** Probes in a row without a response. A machine that slept has missed at most one. */
const MOST_SILENT_PROBES = 12;

/** Starts a process, and restarts it one second after it has ended, until `stop`. */
export function keepRunning(options: KeepRunningOptions): KeptRunning {
  const { name, title = `The ${name}`, start, obstacle = async () => undefined, log } = options;
  const { clock = SYSTEM_CLOCK } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let child = options.first ?? start();
  let isRunning = true;
  let restarts = 0;
  let shortLives = 0;

  /** Waits until there is no obstacle, and logs each obstacle once. */
  const waitForNoObstacle = async (): Promise<void> => {
    let logged: string | undefined;
    for (let found = await obstacle(); found !== undefined && !signal.aborted; found = await obstacle()) {
      if (found !== logged) log.warn(`${title} cannot start: ${found} Berth tries again every second.`);
      logged = found;
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
      log.warn(`${title} ended (${how}) and restarts in ${waitMs / 1_000} s.`);
      await clock.wait(waitMs, signal);
      await waitForNoObstacle();
      if (signal.aborted) return;
      child = start();
      isRunning = true;
      restarts += 1;
    }
  };
  /** Ends a process that hangs; `watch` restarts it. */
  const probe = async (responds: () => Promise<boolean>): Promise<void> => {
    let probed: Child | undefined;
    let silent: number | undefined; // undefined: it has not responded yet
    while (!signal.aborted) {
      await clock.wait(PROBE_EVERY_MS, signal);
      if (signal.aborted || !isRunning) continue;
      if (probed !== child) [probed, silent] = [child, undefined];
      if (await responds()) silent = 0;
      else if (silent !== undefined) silent += 1;
      if (silent !== MOST_SILENT_PROBES || probed !== child || !isRunning) continue;
      log.warn(`${title} has not responded for a minute and is ended.`);
      await child.stop(0);
    }
  };
  if (options.responds !== undefined) void probe(options.responds);
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
