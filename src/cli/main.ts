import { systemTime } from '../time/epoch-ms.ts';
import { type Catalog, programOf } from './shell/catalog.ts';
import { watchOutput } from './shell/closed-output.ts';
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
  const { begins } = watchOutput([process.stdout, process.stderr], process);
  const argv = process.argv.slice(2);
  const out = countWrites(process.stdout);
  const terminal = { out: out.stream, err: process.stderr };
  const run = async (): Promise<number> =>
    (await import('./whole.ts')).runWhole({ terminal, argv, writes: out.writes, begins });
  const cli = { terminal, env: process.env, now: systemTime };
  const catalog = typeof __BERTH_CATALOG__ === 'object' ? __BERTH_CATALOG__ : undefined;
  try {
    process.exitCode =
      catalog === undefined ? await run() : await runProgram(cli, argv, programOf(catalog, run));
  } catch (error) {
    process.exitCode = sayFailure(terminal, argv, error, out.writes);
  }
}

void main();
