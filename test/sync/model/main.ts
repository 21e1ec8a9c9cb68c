import { run } from './run.ts';

/* `npm run model [-- FROM COUNT]`: so many seeds in a row, without a test runner, which makes each take several times as long. */

const [from = 1, count = 2_500] = process.argv.slice(2).map(Number);
const started = performance.now();
let failed = 0;
for (let seed = from; seed < from + count; seed += 1) {
  const problems = await run(seed);
  if (problems.length === 0) continue;
  failed += 1;
  console.log(`seed ${seed}: ${problems.join('\n  ')}\n  Run it alone: npm run model -- ${seed} 1`);
}
const seconds = ((performance.now() - started) / 1_000).toFixed(0);
console.log(
  `${count} random fleets from seed ${from} in ${seconds} s: ${failed === 0 ? 'all came to rest' : `${failed} did not`}.`,
);
process.exit(failed === 0 ? 0 : 1);
