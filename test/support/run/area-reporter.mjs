import { relative, sep } from 'node:path';

/**
 * Prints one line for each area of the tests at the end: `twin: 412 passed in 3 s`. An area is a folder below `test/`. The
 * time is the sum over its suites, so with two workers the total of all areas is longer than the run.
 */
export default class AreaReporter {
  #rootDir;

  /** @param {{ rootDir: string }} globalConfig */
  constructor({ rootDir }) {
    this.#rootDir = rootDir;
  }

  /**
   * @param {unknown} _
   * @param {import('@jest/reporters').AggregatedResult} results
   */
  onRunComplete(_, { testResults }) {
    const lines = [...areasOf(this.#rootDir, testResults)]
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([area, sums]) => `${area}: ${sentence(sums)}\n`);
    process.stderr.write(`\n${lines.join('')}`);
  }
}

function areasOf(rootDir, suites) {
  const areas = new Map();
  for (const { testFilePath, testExecError, perfStats, ...suite } of suites) {
    const [, area] = relative(rootDir, testFilePath).split(sep);
    const name = area.replace(/\.test\.ts$/, '');
    const sums = areas.get(name) ?? { passed: 0, failed: 0, skipped: 0, ms: 0 };
    areas.set(name, {
      passed: sums.passed + suite.numPassingTests,
      failed: sums.failed + suite.numFailingTests + (testExecError ? 1 : 0),
      skipped: sums.skipped + suite.numPendingTests + suite.numTodoTests,
      ms: sums.ms + (perfStats.runtime ?? 0),
    });
  }
  return areas;
}

function sentence({ passed, failed, skipped, ms }) {
  const counts = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  return `${counts.join(', ')} in ${Math.round(ms / 1_000)} s`;
}
