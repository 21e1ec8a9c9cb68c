import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as z from 'zod';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { runLocally } from './local-run.ts';

let bundles: Bundles;
beforeAll(async () => {
  bundles = await copyBundles();
});
afterAll(() => bundles.remove());

test('a stack with no simulated devices runs the functions and no device process', async () => {
  const state = temporaryFolder('stack');
  const run = runLocally(bundles.directory, ['--devices', '0', '--state', state]);
  const control = await run.says(/control API (http:\S+)\)/);
  await run.says(/Berth, locally: (0 simulated devices)/);

  const processes = z
    .array(z.object({ name: z.string(), running: z.boolean(), restarts: z.number() }))
    .parse(await (await fetch(`${control}/processes`)).json());

  run.process.kill('SIGINT');
  await run.ended;
  expect(processes.map(({ name }) => name)).not.toContain('devices');
  expect(processes.every(({ running, restarts }) => running && restarts === 0)).toBe(true);
  expect(run.said()).not.toContain('simulated devices ended');
});
