import { describe, expect, test } from '@jest/globals';
import {
  callFate,
  createDraws,
  type Draw,
  eventFate,
  type FaultSettings,
} from '../../../local/iot-hub/faults/faults.ts';
import { NO_FAULTS } from './no-faults.ts';

/** The first draws of a subject, for one question each. */
function draws(
  nextDraw: (subject: string) => Draw,
  subject: string,
  count: number,
  question = 'drop',
): number[] {
  return Array.from({ length: count }, () => nextDraw(subject)(question));
}

describe('the random numbers of faults', () => {
  test('the random numbers are the same for the same seed, hub, subject and position', () => {
    const first = draws(createDraws(7, 'WEU.azure-devices.net'), 'pump', 20);
    expect(draws(createDraws(7, 'weu.azure-devices.net'), 'pump', 20)).toEqual(first);
    expect(new Set(first).size).toBe(20);
  });

  test('the random numbers of one subject do not depend on other subjects', () => {
    const alone = draws(createDraws(7, 'weu'), 'pump', 5);
    const nextDraw = createDraws(7, 'weu');
    const among = alone.map(() => {
      draws(nextDraw, 'valve', 3);
      return nextDraw('pump')('drop');
    });
    expect(among).toEqual(alone);
  });

  test.each<[string, number, string, string, string]>([
    ['seed', 8, 'weu', 'pump', 'drop'],
    ['hub', 7, 'eus', 'pump', 'drop'],
    ['subject', 7, 'weu', 'valve', 'drop'],
    ['question', 7, 'weu', 'pump', 'replay'],
  ])('the random numbers differ for another %s', (_what, seed, host, subject, question) => {
    const first = draws(createDraws(7, 'weu'), 'pump', 5);
    expect(draws(createDraws(seed, host), subject, 5, question)).not.toEqual(first);
  });

  test('the random numbers are distributed evenly from 0 to 1', () => {
    const drawn = draws(createDraws(1, 'weu'), 'pump', 5000);
    const tenths = Array.from(
      { length: 10 },
      (_, tenth) => drawn.filter((value) => Math.floor(value * 10) === tenth).length,
    );
    for (const count of tenths) expect(Math.abs(count - 500)).toBeLessThan(100);
  });
});

/** How many of 2000 turns are of the kind. */
function share(settings: Partial<FaultSettings>, isOfKind: (settings: FaultSettings, draw: Draw) => boolean) {
  const nextDraw = createDraws(42, 'weu');
  const all = { ...NO_FAULTS, ...settings };
  return Array.from({ length: 2000 }).filter(() => isOfKind(all, nextDraw('x'))).length / 2000;
}

describe('the fault of a call', () => {
  test.each([
    ['error', { errorRate: 0.3 }],
    ['throttle', { throttleRate: 0.3 }],
    ['timeout', { timeoutRate: 0.3 }],
    ['answered', { errorRate: 0.7 }],
  ] as const)('the result %s occurs as often as its rate says', (kind, settings) => {
    expect(share(settings, (all, draw) => callFate(all, draw).kind === kind)).toBeCloseTo(0.3, 1);
  });

  test.each(['errorRate', 'timeoutRate'])('half of the calls with %s are carried out', (rate) => {
    const applied = share({ [rate]: 1 }, (all, draw) => {
      const fate = callFate(all, draw);
      return 'isApplied' in fate && fate.isApplied;
    });
    expect(applied).toBeCloseTo(0.5, 1);
  });

  test('errors are 500 and 503 equally often', () => {
    const unavailable = share({ errorRate: 1 }, (all, draw) => {
      const fate = callFate(all, draw);
      return fate.kind === 'error' && fate.refusal === 'ServiceUnavailable';
    });
    expect(unavailable).toBeCloseTo(0.5, 1);
  });

  test('a call without faults is always answered', () => {
    expect(share({}, (all, draw) => callFate(all, draw).kind === 'answered')).toBe(1);
  });
});

test.each([
  ['dropRate', 'isDropped'],
  ['coalesceRate', 'isHeld'],
  ['duplicateRate', 'isDuplicated'],
  ['replayRate', 'isReplayed'],
] as const)('with %s an event %s as often as the rate says, and has no other fault', (rate, what) => {
  const fates: string[] = [];
  const struck = share({ [rate]: 0.2 }, (all, draw) => {
    const fate = eventFate(all, draw);
    for (const [name, isSo] of Object.entries(fate)) if (isSo) fates.push(name);
    return fate[what];
  });
  expect(struck).toBeCloseTo(0.2, 1);
  expect(new Set(fates)).toEqual(new Set([what]));
});
