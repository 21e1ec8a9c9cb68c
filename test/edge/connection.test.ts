import { describe, expect, test } from '@jest/globals';
import { connectionAskAt, isConnected } from '../../src/edge/connection.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import type { Activity } from '../../src/twin/snapshot/snapshot.ts';
import { snapshotOf } from '../twin/twins.ts';

const APPLIED = epochMs(Date.UTC(2026, 10, 29));
const minutesAfter = (minutes: number): EpochMs => plus(APPLIED, minutes * 60_000);
const minutesOf = (at: EpochMs | undefined) => (at === undefined ? undefined : (at - APPLIED) / 60_000);
const answer = (minutes: number, isOnline: boolean, asks = 1): Activity => ({
  askedAt: minutesAfter(minutes),
  asks,
  isConnected: isOnline,
});

/** `$edgeHub` with version 5 of its routes. */
const hubTwin = (taken: number | undefined, rest: { activity?: Activity; lifeAt?: number } = {}) =>
  snapshotOf({
    desired: { routes: {} },
    desiredVersion: 5,
    reported: taken === undefined ? {} : { lastDesiredVersion: taken },
    runtime: { desiredAt: instantOf(APPLIED), statusAt: undefined, configurations: [] },
    lifeAt: rest.lifeAt === undefined ? undefined : instantOf(minutesAfter(rest.lifeAt)),
    activity: rest.activity,
  });

describe('the hub is asked about the connection of an IoT Edge device', () => {
  test.each<[string, Parameters<typeof hubTwin>, number]>([
    ['two minutes after an apply that is not answered', [undefined], 2],
    ['two minutes after an apply while an older version is reported', [4], 2],
    [
      'two minutes after an apply, also if it was asked before the apply',
      [4, { activity: answer(-9, true) }],
      2,
    ],
    ['later each time while there is no answer', [4, { activity: answer(2, false, 2) }], 10],
    ['every half hour at the latest', [4, { activity: answer(100, false, 30) }], 130],
    ['half an hour after the last report of a device that has answered', [5, { lifeAt: 3 }], 33],
    ['half an hour after the last question', [5, { lifeAt: 3, activity: answer(40, false) }], 70],
  ])('%s', (_, [taken, rest], expected) => {
    expect(minutesOf(connectionAskAt(hubTwin(taken, rest)))).toBe(expected);
  });

  test('not while the device has no manifest', () => {
    expect(connectionAskAt({ ...hubTwin(undefined), desired: {} })).toBeUndefined();
  });
});

describe('an IoT Edge device', () => {
  const agent = (lifeMinutes?: number) => ({
    lifeAt: lifeMinutes === undefined ? undefined : instantOf(minutesAfter(lifeMinutes)),
  });

  test.each<[string, Parameters<typeof isConnected>, boolean | undefined]>([
    [
      'is connected if the hub says so',
      [agent(), hubTwin(5, { activity: answer(10, true) }), minutesAfter(11)],
      true,
    ],
    [
      'is not connected if the hub says so',
      [agent(5), hubTwin(5, { activity: answer(10, false) }), minutesAfter(11)],
      false,
    ],
    [
      'has an unknown connection before the first question',
      [agent(5), hubTwin(5), minutesAfter(11)],
      undefined,
    ],
    [
      'has an unknown connection while $edgeHub is not stored',
      [agent(5), undefined, minutesAfter(11)],
      undefined,
    ],
    [
      'has an unknown connection after a report of $edgeAgent that is newer than the answer',
      [agent(11), hubTwin(5, { activity: answer(10, false) }), minutesAfter(12)],
      undefined,
    ],
    [
      'has an unknown connection after a report of $edgeHub that is newer than the answer',
      [agent(), hubTwin(5, { activity: answer(10, false), lifeAt: 11 }), minutesAfter(12)],
      undefined,
    ],
    [
      'has an unknown connection if the answer is older than an hour',
      [agent(), hubTwin(5, { activity: answer(10, true) }), minutesAfter(71)],
      undefined,
    ],
  ])('%s', (_, given, expected) => {
    expect(isConnected(...given)).toBe(expected);
  });
});
