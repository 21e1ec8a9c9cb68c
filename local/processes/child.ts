import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  readonly name: string;
  /** The file that Node.js runs. */
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. Default: the one of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Flags of Node.js. Default: stack traces name the lines of the sources. */
  readonly nodeOptions?: readonly string[];
  /** Called for each line that the process prints. */
  readonly onLine: (line: string) => void;
  /** Called for each message that it sends. */
  readonly onMessage?: (message: unknown) => void;
}

/**
 * A Node.js process of the local stack. It watches the channel to this process and ends when this process ends.
 */
export interface Child {
  readonly name: string;
  readonly pid: number | undefined;
  /** Resolves with the exit code or the signal, as text. */
  readonly ended: Promise<string>;
  send(message: object): void;
  /** Sends SIGTERM, and SIGKILL after `graceMs` milliseconds. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a child process in its own process group. Ctrl-C therefore reaches only the supervisor, which ends the
 * other processes in order.
 */
export function startChild({
  name,
  file,
  args,
  env = process.env,
  nodeOptions = ['--enable-source-maps'],
  onLine,
  onMessage,
}: ChildOptions): Child {
  const child = fork(file, args, {
    silent: true,
    detached: true,
    env,
    // The child must not inherit the flags of a debugger or a test runner.
    execArgv: [...nodeOptions],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', onLine);
  }
  child.on('message', (message) => onMessage?.(message));
  // A message to an ended process fails. `ended` reports the end.
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
