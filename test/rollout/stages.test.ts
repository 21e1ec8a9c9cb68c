import { describe, expect, test } from '@jest/globals';
import { compileRollout } from '../../src/fleet/file/compile-rollout.ts';
import { reachedAfterMs, rolloutPlace, stageIndexOf } from '../../src/rollout/stages.ts';
import { fc } from '../support/properties.ts';

const HOUR = 3_600_000;
const CONTENT = 'a'.repeat(64);
const stage = { atLeast: '0s', over: '0s', approve: false };
const ROLLOUT = compileRollout({
  stages: [
    { ...stage, name: 'lab', where: "tags.ring == 'lab'" },
    { ...stage, name: 'one', share: 0.01 },
    { ...stage, name: 'tenth', share: 0.1, over: '9h' },
    { ...stage, name: 'all', share: 1, over: '10h' },
  ],
});
const nameOf = (place: number, isLab = false) =>
  ROLLOUT.stages[stageIndexOf(ROLLOUT, place, () => isLab)]?.name;

describe('the stage of a device', () => {
  test.each([
    [0, 'one'],
    [0.0099, 'one'],
    [0.01, 'tenth'],
    [0.0999, 'tenth'],
    [0.1, 'all'],
    [0.9999, 'all'],
  ])('is the first one that holds the place %d', (place, name) => {
    expect(nameOf(place)).toBe(name);
  });

  test('is the stage whose condition it matches, whatever its place is', () => {
    expect([nameOf(0, true), nameOf(0.99, true)]).toEqual(['lab', 'lab']);
  });

  test('holds the share of the devices that the file says', () => {
    const devices = Array.from({ length: 5_000 }, (_, index) => rolloutPlace(`device-${index}`, CONTENT));
    const share =
      devices.filter((place) => ['one', 'tenth'].includes(nameOf(place) ?? '')).length / devices.length;

    expect(Math.abs(share - 0.1)).toBeLessThan(4 * Math.sqrt(0.09 / devices.length));
  });

  test('has the place that this hash gives, because it must never change', () => {
    expect(rolloutPlace('pump-1', CONTENT)).toBe(rolloutPlace('pump-1', CONTENT));
    expect(rolloutPlace('pump-1', 'b'.repeat(64))).not.toBe(rolloutPlace('pump-1', CONTENT));
    expect(Math.floor(rolloutPlace('pump-1', CONTENT) * 2 ** 32)).toBe(292121686);
  });
});

describe('a stage with a duration', () => {
  const [, , tenth, all] = ROLLOUT.stages;

  test('reaches its devices one after the other, from the end of the stage before', () => {
    if (tenth === undefined || all === undefined) throw new Error('no stage');
    expect(reachedAfterMs(tenth, 0.01)).toBe(0);
    expect(reachedAfterMs(tenth, 0.055)).toBeCloseTo(4.5 * HOUR, 3);
    expect(reachedAfterMs(all, 0.55)).toBeCloseTo(5 * HOUR, 3);
  });

  test('reaches every device of the stage before its end', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 1, maxExcluded: true, noNaN: true }), (place) => {
        if (all === undefined) throw new Error('no stage');
        expect(reachedAfterMs(all, place)).toBeLessThan(all.overMs);
      }),
    );
  });
});
