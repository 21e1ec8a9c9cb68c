import { runDrains } from './drain-run.ts';
import { runEdge } from './edge-run.ts';
import { runRollouts } from './rollout-run.ts';
import { run } from './run.ts';
import { runSilence } from './silence-run.ts';

/*
 * `npm run model [-- FROM COUNT [KIND]]`: runs COUNT seeds from FROM. It runs without a test runner, in which each seed takes
 * several times as long. KIND is `twins` (default), `rollouts`, `edge`, `silence` or `drains`. More groups of three may follow: one process,
 * which compiles Berth's code only once, then runs them in turn.
 */

const KINDS: Readonly<Record<string, (seed: number) => Promise<readonly string[]>>> = {
  twins: run,
  rollouts: runRollouts,
  edge: runEdge,
  silence: runSilence,
  drains: runDrains,
};

let failed = 0;
const given = process.argv.slice(2);
do {
  const [from = '1', count = '2500', kind = 'twins'] = given.splice(0, 3);
  failed += await runSeeds(Number(from), Number(count), kind);
} while (given.length > 0);
process.exit(failed === 0 ? 0 : 1);

/** Returns how many of the seeds failed. */
async function runSeeds(from: number, count: number, kind: string): Promise<number> {
  const runSeed = KINDS[kind];
  if (runSeed === undefined) throw new Error(`Unknown kind "${kind}": ${Object.keys(KINDS).join(' or ')}`);
  const started = performance.now();
  let failed = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const problems = await runSeed(seed);
    if (problems.length === 0) continue;
    failed += 1;
    console.log(
      `seed ${seed}: ${problems.slice(0, 8).join('\n  ')}\n  Run it alone: npm run model -- ${seed} 1 ${kind}`,
    );
  }
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  const end = failed === 0 ? 'all came to rest' : `${failed} did not`;
  console.log(`${count} random fleets (${kind}) from seed ${from} in ${seconds} s: ${end}.`);
  return failed;
}
