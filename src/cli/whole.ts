import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { systemTime } from '../time/epoch-ms.ts';
import { berth } from './berth.ts';
import { environmentIn } from './shell/environment.ts';
import type { Terminal } from './shell/terminal.ts';
import type { Threads } from './what-if/what-if-placement.ts';
import { startWorker } from './what-if/worker-pool.ts';

/**
 * Runs a command with everything that it may need. Returns the exit code.
 *
 * @param argv the arguments after `berth`.
 * @throws BerthError for every error that the operator can correct
 */
export function runWhole(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const threads: Threads = {
    number: availableParallelism(),
    start: (data) => startWorker(join(__dirname, 'what-if-worker.cjs'), data),
  };
  return berth({ terminal, env: environmentIn(process.cwd(), process.env), now: systemTime }, argv, threads);
}
