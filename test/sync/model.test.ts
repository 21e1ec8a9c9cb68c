import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Random fleets, policies, devices, other writers, faults of hubs, events and tables, and instances that come, go and
 * overlap, on virtual time. The seeds run in a process of their own: in the sandbox of the test runner, they take twice the
 * time. `npm run model -- FROM COUNT KIND` runs other seeds.
 */

let program: string;
beforeAll(async () => {
  program = join(temporaryFolder('model'), 'model.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'model/main.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
});

test.each([
  ['end in the state that their policies want', 200, 'twins'],
  ['whose route dies and comes back end in sync', 20, 'silence'],
  ['that drain ask every device once, and take their requests back', 40, 'drains'],
  ['with rollouts in stages come to an end, and reach no device early', 60, 'rollouts'],
  [
    'of IoT Edge devices end with the manifest that their file implies, and secrets appear nowhere',
    25,
    'edge',
  ],
])(
  'random fleets %s, for %i seeds',
  async (_, count, kind) => {
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [program, '1', String(count), kind], (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });

    expect(output).toMatch(/^\d+ random fleets .* all came to rest\.\n$/);
  },
  600_000,
);
