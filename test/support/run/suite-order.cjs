const { default: Sequencer } = require('@jest/test-sequencer');

/** The slowest suites, although their files are short. Started last, they would keep only one worker busy. */
const LONGEST = [
  'end-to-end/edge',
  'end-to-end/berth',
  'sync/model',
  'end-to-end/local-stack',
  'console/console',
];

/** Suites that mostly wait for other processes. If they ran at the same time, the machine would be idle. */
const WAITING = ['end-to-end/', 'infra/', 'function-host/event-hub', 'event-hub/checkpoints'];

/** Suites that need the processor for some seconds. */
const BUSY = ['allocation/always', 'functions/'];

/** How many other suites follow each one that waits. */
const OTHERS_EACH = 2;

/** First the slowest suites. Then, among those that wait, the busy ones, and the others in Jest's order. */
module.exports = class SuiteOrder extends Sequencer {
  sort(tests) {
    let left = super.sort(tests);
    const take = (parts) => {
      const taken = parts.flatMap((part) => left.filter(({ path }) => path.includes(`/test/${part}`)));
      left = left.filter((test) => !taken.includes(test));
      return taken;
    };
    const longest = take(LONGEST);
    const waiting = take(WAITING);
    const others = [...take(BUSY), ...left];
    const mixed = waiting.flatMap((test, place) => [
      test,
      ...others.slice(place * OTHERS_EACH, (place + 1) * OTHERS_EACH),
    ]);
    return [...longest, ...mixed, ...others.slice(waiting.length * OTHERS_EACH)];
  }
};
