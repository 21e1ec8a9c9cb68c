import { systemTime } from '../time/epoch-ms.ts';
import { type Catalog, programOf } from './shell/catalog.ts';
import { runProgram } from './shell/command-line.ts';
import { countWrites, sayFailure } from './shell/json-mode.ts';

/**
 * Set by the bundler: the commands without their functions. With it, help, version and wrong flags load nothing of the
 * commands.
 */
declare const __BERTH_CATALOG__: Catalog | undefined;

/**
 * The entry of `berth`: runs one command in this process. `whole.ts` is a bundle of its own, so that help, version and wrong
 * flags do not even read the code of the commands. Each bundle has its own classes of errors, and says its own errors.
 */
async function main(): Promise<void> {
  endWithReader(process.stdout);
  endWithReader(process.stderr);
  const argv = process.argv.slice(2);
  const out = countWrites(process.stdout);
  const terminal = { out: out.stream, err: process.stderr };
  const run = async (): Promise<number> => (await import('./whole.ts')).runWhole(terminal, argv, out.writes);
  const cli = { terminal, env: process.env, now: systemTime };
  const catalog = typeof __BERTH_CATALOG__ === 'object' ? __BERTH_CATALOG__ : undefined;
  try {
    process.exitCode =
      catalog === undefined ? await run() : await runProgram(cli, argv, programOf(catalog, run));
  } catch (error) {
    process.exitCode = sayFailure(terminal, argv, error, out.writes);
  }
}

/** Ends the command if the reader closes the output, as `head` does, and with a message if a write fails. */
function endWithReader(stream: NodeJS.WriteStream): void {
  stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') console.error(`The result cannot be written: ${message}`);
    process.exit(code === 'EPIPE' ? 0 : 1);
  });
}

void main();
