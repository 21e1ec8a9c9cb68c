const { default: Sequencer } = require('@jest/test-sequencer');

/** Suites that take longest although their files are short: at the end they would keep one worker alone busy. */
const LONGEST = ['test/sync/model.test.ts', 'test/end-to-end/', 'test/allocation/always.test.ts'];

/** The order of jest, which goes by file size on a new clone, with the longest suites first. */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const found = LONGEST.findIndex((part) => path.includes(part));
      return found === -1 ? LONGEST.length : found;
    };
    return [...super.sort(tests)].sort((one, other) => rank(one) - rank(other));
  }
};
