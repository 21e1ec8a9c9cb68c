import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BerthError } from '../errors.ts';
import { systemTime } from '../time/epoch-ms.ts';
import { berth } from './berth.ts';
import type { Cli } from './shell/cli.ts';
import { environmentIn } from './shell/environment.ts';
import { type Terminal, tell } from './shell/terminal.ts';
import type { Threads } from './what-if/what-if-placement.ts';
import { startWorker } from './what-if/worker-pool.ts';

/** The entry of `berth`: runs one command in this process. */
async function main(): Promise<void> {
  const terminal = { out: process.stdout, err: process.stderr };
  endWithReader(process.stdout);
  endWithReader(process.stderr);
  const cli: Cli = { terminal, env: environmentIn(process.cwd(), process.env), now: systemTime };
  const threads: Threads = {
    number: availableParallelism(),
    start: (data) => startWorker(join(__dirname, 'what-if-worker.cjs'), data),
  };
  try {
    process.exitCode = await berth(cli, process.argv.slice(2), threads);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    sayError(terminal, error);
    process.exitCode = 1;
  }
}

function sayError(terminal: Terminal, { message, code, details }: BerthError): void {
  tell(terminal, `${message} [${code}]`);
  for (const { path, message: problem } of details) tell(terminal, `  ${path || 'it'} ${problem}`);
}

/** Ends the command if the reader closes the output, as `head` does, and with a message if a write fails. */
function endWithReader(stream: NodeJS.WriteStream): void {
  stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') console.error(`The result cannot be written: ${message}`);
    process.exit(code === 'EPIPE' ? 0 : 1);
  });
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.stack : error);
  process.exit(1);
});
