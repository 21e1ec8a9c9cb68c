const { default: Sequencer } = require('@jest/test-sequencer');

/** The slowest suites, although their files are short. Started last, they would keep only one worker busy. */
const LONGEST = [
  // It waits more than a minute for a decision of Berth, and the others fill this time.
  'test/end-to-end/edge.test.ts',
  ...['test/sync/model.test.ts', 'test/end-to-end/local-stack.test.ts', 'test/console/console.test.ts'],
  'test/end-to-end/',
  ...['test/allocation/always.test.ts', 'test/functions/', 'test/local/function-host/event-hub.test.ts'],
];

/** Jest's order, which follows file sizes on a new clone, but with the slowest suites first. */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const found = LONGEST.findIndex((part) => path.includes(part));
      return found === -1 ? LONGEST.length : found;
    };
    return [...super.sort(tests)].sort((one, other) => rank(one) - rank(other));
  }
};
