import { PassThrough } from 'node:stream';
import { berth as runBerth } from '../../src/cli/berth.ts';
import type { Cli } from '../../src/cli/shell/cli.ts';
import type { Threads } from '../../src/cli/what-if/threads.ts';
import { readerHere } from '../../src/cli/what-if/twin-reader.ts';
import type { Environment } from '../../src/settings/settings.ts';
import { openStores } from '../../src/store/stores.ts';
import { openTables } from '../../src/store/tables/tables.ts';
import { type EpochMs, epochMs } from '../../src/time/epoch-ms.ts';
import { openTrial } from '../../src/what-if/job.ts';
import { tryDevices } from '../../src/what-if/try-devices.ts';
import { openTwinTrial } from '../../src/what-if/twin-job.ts';

export const NOW = epochMs(Date.UTC(2026, 10, 25, 12));

/** A command's surroundings, and what it has said. */
export interface Spoken {
  readonly cli: Cli;
  out(): string;
  err(): string;
}

export function listen(env: Environment = {}, now: () => EpochMs = () => NOW): Spoken {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const text = (stream: PassThrough) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString('utf8');
  };
  return { cli: { terminal: { out, err }, env, now }, out: text(out), err: text(err) };
}

/** In this thread: that of a worker is tested with its bundle, end to end. */
const THREADS: Threads = {
  number: 3,
  start: ({ job, now }) => {
    const trial = openTrial(job, now);
    return { tryPart: async (part) => tryDevices(part, trial), close: async () => {} };
  },
  startTwins: ({ job, account }) =>
    readerHere(openStores(openTables(account)).twins, openTwinTrial(job), job.first),
};

/** Runs `berth` with what an operator writes behind it, and answers its exit code. */
export function berth(cli: Cli, ...argv: readonly string[]): Promise<number> {
  return runBerth(cli, argv, THREADS);
}

/** Options of a command by their names in camel case: a flag that is on or off, a value, or several. */
export type Flags = Readonly<Record<string, boolean | string | readonly string[] | undefined>>;

/** `{ maxMoves: '5', json: true }` as an operator writes it: `--max-moves 5 --json`. */
export function flags(options: Flags): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (typeof value === 'boolean' || value === undefined) return value ? [flag] : [];
    return [value].flat().flatMap((each) => [flag, each]);
  });
}
