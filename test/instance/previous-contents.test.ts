import { beforeEach, expect, test } from '@jest/globals';
import type { ContentToRead } from '../../src/control/rollouts.ts';
import { PreviousContents } from '../../src/instance/previous-contents.ts';
import type { FleetRevision } from '../../src/store/state/revisions.ts';
import { NewerFormatError } from '../../src/store/tables/newer-format.ts';
import { TestClock } from '../support/clock.ts';
import { fleetOf } from '../twin/twins.ts';

/* The earlier contents that an instance reads for rollouts, and those that it cannot read. */

const MINUTE_MS = 60_000;
const FLEET = fleetOf({ policies: [{ name: 'base', desired: { interval: 60 } }] });
const TWINS = { policies: [{ name: 'base', desired: { interval: 5 } }] };
const EARLIER = fleetOf(TWINS).twins.policies[0]?.hash ?? '';
const NEEDED: readonly ContentToRead[] = [{ content: EARLIER, name: 'base', revision: 'r1' }];
const HUBS = [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }];
const STORED: FleetRevision = { text: JSON.stringify({ hubs: HUBS, twins: TWINS }), models: {} };

let clock: TestClock;
let read: () => FleetRevision | undefined;
let reads: number;
let lines: unknown[];
let contents: PreviousContents;
beforeEach(() => {
  clock = new TestClock();
  reads = 0;
  lines = [];
  contents = new PreviousContents({
    read: async () => {
      reads += 1;
      return read();
    },
    log: (level, event, facts) => void lines.push({ level, event, ...facts }),
    now: clock.now,
  });
});
const previous = async (generation = 1) => [
  ...(await contents.addTo(FLEET, NEEDED, generation)).twins.previous.keys(),
];

test('an earlier content is read once', async () => {
  read = () => STORED;

  expect(await previous()).toEqual([EARLIER]);
  await clock.wait(60 * MINUTE_MS);
  expect(await previous(2)).toEqual([EARLIER]);
  expect(reads).toBe(1);
  expect(contents.unreadable).toEqual([]);
});

test.each<[string, () => FleetRevision | undefined]>([
  ['its fleet file is not stored', () => undefined],
  ['this package does not accept the stored fleet file', () => ({ text: '{"hubs": 7}', models: {} })],
  ['the stored fleet file has another content', () => ({ ...STORED, text: JSON.stringify({ hubs: HUBS }) })],
  [
    'a newer package has stored the fleet file',
    () => {
      throw new NewerFormatError({ document: 'fleet revision', format: 9, known: 3, of: 'r1' });
    },
  ],
])('an earlier content that cannot be read is tried again every five minutes: %s', async (_, fails) => {
  read = fails;
  expect(await previous()).toEqual([]);
  expect(contents.unreadable).toEqual(NEEDED);
  expect(lines).toEqual([
    {
      level: 'warn',
      event: 'previousContentMissing',
      code: 'BERTH_PREVIOUS_CONTENT_MISSING',
      policy: 'base',
      revision: 'r1',
    },
  ]);
  await clock.wait(4 * MINUTE_MS);
  await previous();
  expect(reads).toBe(1);
  await clock.wait(2 * MINUTE_MS);
  await previous();
  expect(reads).toBe(2);

  read = () => STORED;
  await clock.wait(6 * MINUTE_MS);

  expect(await previous()).toEqual([EARLIER]);
  expect(contents.unreadable).toEqual([]);
});

test('an earlier content that could not be read is tried at once when every twin is planned again, as after an import', async () => {
  read = () => undefined;
  await previous(1);
  read = () => STORED;

  expect(await previous(1)).toEqual([]);
  expect(await previous(2)).toEqual([EARLIER]);
});

test('an earlier content that no rollout needs any more does not count as one that cannot be read', async () => {
  read = () => undefined;
  await previous();
  await contents.addTo(FLEET, [], 1);

  expect(contents.unreadable).toEqual([]);
});
