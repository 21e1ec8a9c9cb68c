import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coldStart } from './cases/cold-start.ts';
import { type AnswerTimes, FULL_LOAD, hostLoad } from './cases/host-load.ts';
import { placementFigures, placementQuality } from './cases/placement-quality.ts';
import { registrationCases } from './cases/registration.ts';
import { twinStorage } from './cases/twin-storage.ts';
import { twinCases } from './cases/twins.ts';
import { whatIfCases } from './cases/what-if.ts';
import { whatIfThreads } from './cases/what-if-threads.ts';
import { loadTimes } from './load-time.ts';
import { type Figure, FULL, figureOf, machineLoad, measure } from './measure.ts';
import { cpuOf, worstRequests } from './worst-request.ts';

/*
 * `npm run bench -- [--only NAME] [--json FILE]`: what Berth costs, each figure as a ratio of two things that are measured in turn
 * in the same run. NAME is the beginning of the name of a figure, such as `webhook`. docs/performance.md explains the figures.
 */

const COLD_STARTS = 15;
const STORAGE_BATCHES = 25;
const PLACED = 1_000_000;
/** The bundle of `what-if-thread.ts`, which the build of the bench puts next to this one. */
const THREAD = join(import.meta.dirname, 'bench-what-if-thread.mjs');
const THREAD_TWINS = 10_000;
/** Most of the CPU time that a registration may take, in milliseconds. */
const WORST_REQUEST_MS = 20;

const { values } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string', default: '' } },
});
const { only } = values;
const isWanted = (name: string) => name.startsWith(only);
const progress = (text: string) => process.stderr.write(`  ${text}\n`);

if (['cold-start', 'host-load'].some(isWanted) && !existsSync('dist/functions.cjs')) {
  console.error('Some figures measure the built app: run "npm run build" first.');
  process.exit(1);
}
const load = machineLoad();
const figures: Figure[] = [];
const comparisons = [...registrationCases(), ...twinCases(), ...whatIfCases()].filter(({ name }) =>
  isWanted(name),
);
for (const [index, comparison] of comparisons.entries()) {
  progress(`${index + 1} of ${comparisons.length}: ${comparison.name}`);
  figures.push(measure(comparison, FULL));
}
if (isWanted('what-if-twins-threads')) {
  progress('what-if-twins-threads');
  figures.push(await whatIfThreads({ file: THREAD, rounds: FULL.rounds, twins: THREAD_TWINS }));
}
const PLACEMENT = ['share', 'add', 'reweigh', 'cap', 'spill'].map((name) => `placement-${name}`);
if (PLACEMENT.some(isWanted)) {
  progress(`placement of ${PLACED.toLocaleString('en')} devices`);
  figures.push(...placementFigures(placementQuality(PLACED)).filter(({ name }) => isWanted(name)));
}
if (['twin-storage-1', 'twin-storage-4', 'twin-azurite-1', 'twin-azurite-4'].some(isWanted))
  figures.push(...(await twinStorage(STORAGE_BATCHES, progress)).filter(({ name }) => isWanted(name)));
if (isWanted('cold-start')) figures.push(await coldStart(COLD_STARTS, progress));
const answerTimes: AnswerTimes[] = [];
if (isWanted('host-load')) {
  const { figure, times } = await hostLoad(FULL_LOAD, progress);
  figures.push(figure);
  answerTimes.push(...times);
}
if (isWanted('fleet-load')) {
  progress('fleet-load');
  for (const { file, ms, msOfTwice } of loadTimes()) {
    const what = `load of a fleet file with twice as much / of ${file}`;
    figures.push(figureOf({ name: 'fleet-load', what }, [msOfTwice / ms], 0));
  }
}
const worst = isWanted('worst-request')
  ? worstRequests().map((each) => ({ name: each.name, ...cpuOf(each) }))
  : [];
if (figures.length + worst.length === 0) {
  console.error(
    `There is no figure ${JSON.stringify(only)}. Without --only, all figures are shown with their names.`,
  );
  process.exit(1);
}

if (figures.length > 0) {
  console.table(
    figures.map(({ name, what, ratio, spread, goal, reached, perSecond }) => ({
      name,
      what,
      ratio: Number(ratio.toFixed(2)),
      spread: `${Math.round(100 * spread)} %`,
      goal: goal === null ? '' : `at most ${goal}`,
      reached: reached === 'no goal' ? '' : reached,
      'per second': perSecond === null ? '' : Math.round(perSecond),
    })),
  );
}
if (answerTimes.length > 0) {
  console.table(
    answerTimes.map(({ app, requestsASecond, p50, p99, longest }) => ({
      'answers of the function host': app,
      'a second': Math.round(requestsASecond),
      'p50 (ms)': Number(p50.toFixed(1)),
      'p99 (ms)': Number(p99.toFixed(1)),
      'longest (ms)': Number(longest.toFixed(1)),
    })),
  );
}
if (worst.length > 0) {
  console.table(
    worst.map(({ name, steps, ms }) => ({
      'worst request': name,
      steps,
      'ms of CPU': Number(ms.toFixed(1)),
      target: `at most ${WORST_REQUEST_MS}`,
    })),
  );
}
console.log(
  `${load.cores} cores (${load.model}), Node.js ${process.versions.node}, load ${load.perCore.toFixed(1)} for each core at the start.`,
);
if (load.perCore > 1) console.log('The machine is busy: ratios hold, rates are too low.');
if (values.json !== undefined) {
  writeFileSync(
    values.json,
    `${JSON.stringify({ load, node: process.versions.node, figures, answerTimes, worst }, null, 2)}\n`,
  );
}
