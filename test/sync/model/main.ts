import { runDrains } from './drain-run.ts';
import { runEdge } from './edge-run.ts';
import { runRollouts } from './rollout-run.ts';
import { run } from './run.ts';
import { runSilence } from './silence-run.ts';

/*
 * `npm run model [-- FROM COUNT [KIND]]`: runs COUNT seeds from FROM. It runs without a test runner, in which each seed takes
 * several times as long. KIND is `twins` (default), `rollouts`, `edge`, `silence` or `drains`.
 */

const KINDS: Readonly<Record<string, (seed: number) => Promise<readonly string[]>>> = {
  twins: run,
  rollouts: runRollouts,
  edge: runEdge,
  silence: runSilence,
  drains: runDrains,
};

const [from = '1', count = '2500', kind = 'twins'] = process.argv.slice(2);
const runSeed = KINDS[kind];
if (runSeed === undefined) throw new Error(`Unknown kind "${kind}": ${Object.keys(KINDS).join(' or ')}`);
const started = performance.now();
let failed = 0;
for (let seed = Number(from); seed < Number(from) + Number(count); seed += 1) {
  const problems = await runSeed(seed);
  if (problems.length === 0) continue;
  failed += 1;
  console.log(
    `seed ${seed}: ${problems.slice(0, 8).join('\n  ')}\n  Run it alone: npm run model -- ${seed} 1 ${kind}`,
  );
}
const seconds = ((performance.now() - started) / 1_000).toFixed(0);
console.log(
  `${count} random fleets (${kind}) from seed ${from} in ${seconds} s: ${failed === 0 ? 'all came to rest' : `${failed} did not`}.`,
);
process.exit(failed === 0 ? 0 : 1);
