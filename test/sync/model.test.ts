import { expect, test } from '@jest/globals';
import { runRollouts } from './model/rollout-run.ts';
import { run } from './model/run.ts';

/*
 * Random fleets, policies, devices, other writers, faults of hubs, events and tables, and instances that come, go and
 * overlap, on virtual time. BERTH_SEED=n runs one seed alone, BERTH_SEEDS=n so many of them; `npm run model` runs thousands
 * in two minutes.
 */

const only = process.env.BERTH_SEED;
const SEEDS = Number(process.env.BERTH_SEEDS ?? 200);
const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(only)];

test(`${seeds.length} random fleets end in the state that their policies want`, async () => {
  const failures: string[] = [];
  for (const seed of seeds) {
    const problems = await run(seed);
    if (problems.length === 0) continue;
    failures.push(
      `seed ${seed}: ${problems.slice(0, 8).join('\n  ')}\n  Run it alone: BERTH_SEED=${seed} npx jest test/sync/model`,
    );
    if (failures.length === 5) break;
  }
  expect(failures.join('\n')).toBe('');
}, 600_000);

const ROLLOUT_SEEDS = Number(process.env.BERTH_SEEDS ?? 60);
const rolloutSeeds =
  only === undefined ? Array.from({ length: ROLLOUT_SEEDS }, (_, index) => index + 1) : [Number(only)];

test(`${rolloutSeeds.length} random fleets with rollouts in stages come to an end, and reach no device early`, async () => {
  const failures: string[] = [];
  for (const seed of rolloutSeeds) {
    const problems = await runRollouts(seed);
    if (problems.length > 0) failures.push(`seed ${seed}: ${problems.slice(0, 8).join('\n  ')}`);
    if (failures.length === 5) break;
  }
  expect(failures.join('\n')).toBe('');
}, 600_000);
