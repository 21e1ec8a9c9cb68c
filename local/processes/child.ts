import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  readonly name: string;
  /** The file that Node.js runs. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called for each line that the process prints. */
  readonly onLine: (line: string) => void;
  /** Called for each message that it sends. */
  readonly onMessage?: (message: unknown) => void;
}

/**
 * A Node.js process of the local stack. It ends when this process does, however that ends: it watches the
 * channel between the two.
 */
export interface Child {
  readonly name: string;
  readonly pid: number | undefined;
  /** Resolves with what it ended with. */
  readonly ended: Promise<string>;
  send(message: object): void;
  /** Asks it to end, and ends it if it takes longer than this, ms. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a child process. It is in a process group of its own: Ctrl-C is for the supervisor, which ends the
 * others in their order.
 */
export function startChild({ name, file, args, env, onLine, onMessage }: ChildOptions): Child {
  const child = fork(file, args, {
    silent: true,
    detached: true,
    env: { ...process.env, ...env },
    // A debugger's or a test runner's flags are not meant for it.
    execArgv: ['--enable-source-maps'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', onLine);
  }
  child.on('message', (message) => onMessage?.(message));
  // A message to a process that has just ended fails; that it ended is told by `ended`.
  child.on('error', () => {});
  const ended = endOf(child);
  return {
    name,
    get pid() {
      return child.pid;
    },
    ended,
    send(message) {
      if (child.connected) child.send(message, () => {});
    },
    async stop(graceMs) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

async function endOf(child: ChildProcess): Promise<string> {
  const [code, signal] = (await once(child, 'exit').catch(() => [null, 'failed to start'])) as [
    number | null,
    string | null,
  ];
  return signal === null ? `exit code ${code}` : signal;
}
