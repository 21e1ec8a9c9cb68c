const { default: Sequencer } = require('@jest/test-sequencer');

/** The slowest suites, although their files are short. Started last, they would keep only one worker busy. */
const LONGEST = [
  'end-to-end/edge',
  'end-to-end/berth',
  'sync/model',
  'end-to-end/local-stack',
  'console/console',
];

/** Suites that mostly wait, for other processes or for time to pass. If they ran at the same time, the machine would be idle. */
const WAITING = [
  'end-to-end/',
  'infra/compiler',
  'local/function-host/event-hub',
  'local/edge/edge-faults',
  'event-hub/checkpoints',
  'local/function-host/',
  'local/edge/simulated-edge',
  'local/iot-hub/service-client',
  'local/iot-hub/amqp-links',
  'infra/',
];

/** Suites that need the processor for some seconds. */
const BUSY = ['allocation/always', 'functions/'];

/** How many others follow each suite that waits. */
const OTHERS = 3;

/** First the slowest suites. Then one that waits and some others in turn, the busy ones first, and at last the rest in Jest's order. */
module.exports = class SuiteOrder extends Sequencer {
  sort(tests) {
    let left = super.sort(tests);
    const take = (parts) => {
      const taken = new Set(
        parts.flatMap((part) => left.filter(({ path }) => path.includes(`/test/${part}`))),
      );
      left = left.filter((test) => !taken.has(test));
      return [...taken];
    };
    const longest = take(LONGEST);
    const waiting = take(WAITING);
    const others = [...take(BUSY), ...left];
    return [
      ...longest,
      ...waiting.flatMap((test, place) => [test, ...others.slice(place * OTHERS, (place + 1) * OTHERS)]),
      ...others.slice(waiting.length * OTHERS),
    ];
  }
};
