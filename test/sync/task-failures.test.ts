import { expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import { TaskFailures } from '../../src/sync/resync/task-failures.ts';

const UNAVAILABLE = new BerthError('BERTH_STORE_UNAVAILABLE', 'the table is away');
const failing = (error: Error) => () => Promise.reject(error);

let warnings: readonly string[];
const failuresOf = (mayGoOn = () => true) => {
  warnings = [];
  return new TaskFailures(mayGoOn, (message, { code }) => {
    warnings = [...warnings, `${String(code)}: ${message}`];
  });
};

test('a task that fails does not end the tasks after it, and the run fails with its error', async () => {
  const failures = failuresOf();

  expect(await failures.unlessFailed('counts', 0, failing(UNAVAILABLE))).toBe(0);
  expect(await failures.unlessFailed('gates', 0, async () => 7)).toBe(7);
  expect(() => failures.throwFirst()).toThrow(UNAVAILABLE);
  expect(warnings).toEqual([]);
});

test('every further failure is logged with its task, and without the message of a defect', async () => {
  const failures = failuresOf();
  await failures.unlessFailed('counts', 0, failing(UNAVAILABLE));
  await failures.unlessFailed('gates', 0, failing(UNAVAILABLE));
  await failures.unlessFailed('audits', 0, failing(new TypeError('the value "secret" is no number')));

  expect(() => failures.throwFirst()).toThrow(UNAVAILABLE);
  expect(warnings).toEqual([
    'BERTH_STORE_UNAVAILABLE: A task of resyncFleet failed: gates. the table is away',
    'BERTH_DEFECT: A task of resyncFleet failed: audits. TypeError',
  ]);
});

test('all failures are logged if the run fails with another error', async () => {
  const failures = failuresOf();
  await failures.unlessFailed('counts', 0, failing(UNAVAILABLE));
  failures.logAll();

  expect(warnings).toEqual([
    'BERTH_STORE_UNAVAILABLE: A task of resyncFleet failed: counts. the table is away',
  ]);
});

test('after a failure, no further task begins once the time of the run is over', async () => {
  const failures = failuresOf(() => false);
  await failures.unlessFailed('counts', 0, failing(UNAVAILABLE));

  expect(await failures.unlessFailed('gates', 0, async () => 7)).toBe(0);
});
