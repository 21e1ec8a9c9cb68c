import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { CRASHED, END, RESTARTS, type StackReady } from './messages.ts';

export interface KeepStackOptions {
  /** The program of the stack. */
  readonly file: string;
  readonly args: readonly string[];
  readonly warn: (message: string) => void;
  /** The wait before the first restart, in milliseconds. It doubles with each failure. Default: a second. */
  readonly firstWaitMs?: number;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** A stack that has run for this long has not failed at its start. */
const SHORT_LIFE_MS = 10_000;
/** Failed starts in a row, after which the stack stays down. */
const MOST_FAILURES = 8;

/**
 * Runs the stack in a process of its own, and restarts this process with its state and its ports after a crash: an end by a
 * signal, or an error in its code. Hubs, DPS and Event Hubs are in this process. A stack that did not start, or that ended by
 * itself, is not restarted.
 *
 * @returns the exit code.
 */
export async function keepStack(options: KeepStackOptions): Promise<number> {
  const state: Keeping = { child: undefined, isEnding: false };
  const stopListening = listenForTheEnd(state);
  try {
    return await keep(options, state);
  } finally {
    stopListening();
  }
}

interface Keeping {
  child: ChildProcess | undefined;
  isEnding: boolean;
}

async function keep(
  { file, args, warn, firstWaitMs = FIRST_WAIT_MS }: KeepStackOptions,
  state: Keeping,
): Promise<number> {
  let ready: StackReady | undefined;
  let failures = 0;
  for (let restarts = 0; ; restarts += 1) {
    const startedAt = Date.now();
    const child = fork(file, [...(ready === undefined ? args : restartArguments(args, ready))], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [RESTARTS]: String(restarts) },
    });
    state.child = child;
    child.on('error', () => {});
    child.on('message', (message) => {
      if (isReady(message)) ready = message;
    });
    const { code, how } = await endOf(child);
    const isShort = Date.now() - startedAt < SHORT_LIFE_MS;
    const isCrash = code === undefined || code === CRASHED || (restarts > 0 && code === 1 && isShort);
    if (state.isEnding || ready === undefined || !isCrash) return code ?? 1;
    failures = isShort ? failures + 1 : 1;
    if (failures > MOST_FAILURES) {
      warn(`The local stack ended (${how}) and cannot be restarted.`);
      return code ?? 1;
    }
    giveTerminalBack();
    const waitMs = Math.min(LONGEST_WAIT_MS, firstWaitMs * 2 ** (failures - 1));
    warn(`The local stack ended (${how}) and restarts in ${waitMs / 1_000} s, with its state.`);
    await delay(waitMs);
    if (state.isEnding) return code ?? 1;
  }
}

/** Passes the signals that end the keeper, and the messages of `npm run dev`, to the stack. */
function listenForTheEnd(state: Keeping): () => void {
  const send = (message: string) => state.child?.connected && state.child.send(message);
  const end = () => {
    state.isEnding = true;
    // Ctrl-C also reaches the stack itself, because both are in the foreground of the terminal. A message twice is harmless.
    send(END);
  };
  const pass = (message: unknown) => void send(String(message));
  for (const signal of SIGNALS) process.on(signal, end);
  process.on('message', pass);
  process.on('disconnect', end);
  return () => {
    for (const signal of SIGNALS) process.off(signal, end);
    process.off('message', pass);
    process.off('disconnect', end);
  };
}

/** The arguments of a restart: the state is kept, and so is each port, also one that was chosen. */
export function restartArguments(args: readonly string[], { ports }: StackReady): readonly string[] {
  const kept = args.filter((arg) => arg !== '--fresh' && arg !== '--free-ports');
  return [...kept, ...Object.entries(ports).flatMap(([name, port]) => ['--port', `${name}=${port}`])];
}

async function endOf(
  child: ChildProcess,
): Promise<{ readonly code: number | undefined; readonly how: string }> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return { code: code ?? undefined, how: signal ?? `exit code ${code}` };
}

function isReady(message: unknown): message is StackReady {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}

/** A stack that was killed could not leave the mode in which a terminal sends single keys. */
function giveTerminalBack(): void {
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
}
