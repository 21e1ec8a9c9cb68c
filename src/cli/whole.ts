import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { systemTime } from '../time/epoch-ms.ts';
import { berth } from './berth.ts';
import { environmentIn } from './shell/environment.ts';
import { sayFailure } from './shell/json-mode.ts';
import type { Terminal } from './shell/terminal.ts';
import type { Threads } from './what-if/threads.ts';
import { startTwinThread } from './what-if/twin-thread.ts';
import { startWorker } from './what-if/worker-pool.ts';

/** What the process gives a command. */
interface WholeRun {
  readonly terminal: Terminal;
  /** The arguments after `berth`. */
  readonly argv: readonly string[];
  /** How often the standard output was written to. */
  readonly writes: () => number;
  readonly begins: (changes: boolean) => void;
}

/** Runs a command with everything that it may need. Writes the error with which it ends, and returns the exit code. */
export async function runWhole({ terminal, argv, writes, begins }: WholeRun): Promise<number> {
  const threads: Threads = {
    number: availableParallelism(),
    start: (data) => startWorker(join(__dirname, 'what-if-worker.cjs'), data),
    startTwins: (data) => startTwinThread(join(__dirname, 'what-if-twins-worker.cjs'), data),
  };
  try {
    const env = environmentIn(process.cwd(), process.env);
    return await berth({ terminal, env, now: systemTime, begins }, argv, threads);
  } catch (error) {
    return sayFailure(terminal, argv, error, writes);
  }
}
