import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Random fleets, policies, devices, other writers, faults of hubs, events and tables, and instances that come, go and
 * overlap, on virtual time. The seeds run in a process of their own, with the program that `npm run model -- FROM COUNT KIND`
 * runs for other seeds.
 */

/** How many seeds of each kind run. */
const COUNTS = { twins: 200, silence: 20, drains: 25, rollouts: 60, edge: 25 };

let output: Promise<string>;
beforeAll(async () => {
  const program = join(temporaryFolder('model'), 'model.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'model/main.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  const groups = Object.entries(COUNTS).flatMap(([kind, count]) => ['1', String(count), kind]);
  output = new Promise((resolve) => {
    execFile(process.execPath, [program, ...groups], (_error, stdout, stderr) => resolve(stdout + stderr));
  });
});

test.each<[string, keyof typeof COUNTS]>([
  ['end in the state that their policies want', 'twins'],
  ['whose route dies and comes back end in sync', 'silence'],
  ['that drain ask every device once, and take their requests back', 'drains'],
  ['with rollouts in stages come to an end, and reach no device early', 'rollouts'],
  ['of IoT Edge devices end with the manifest that their file implies, and secrets appear nowhere', 'edge'],
])(
  'random fleets %s',
  async (_, kind) => {
    const text = await output;

    // Of the kinds that pass, one line each. Where one fails, the text names its seeds.
    expect(text).toMatch(
      new RegExp(`^${COUNTS[kind]} random fleets \\(${kind}\\) .* all came to rest\\.$`, 'm'),
    );
  },
  600_000,
);
