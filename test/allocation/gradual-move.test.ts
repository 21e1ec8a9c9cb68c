import { describe, expect, test } from '@jest/globals';
import { gradualMoveOf, isReached } from '../../src/allocation/moves/gradual-move.ts';

const DEVICES = Array.from({ length: 20_000 }, (_, index) => `device-${index}`);
const reached = (now: number) =>
  DEVICES.filter((device) => isReached(gradualMoveOf('cause', device, 1_000, 10_000, now)));

describe('a gradual move', () => {
  test('reaches a growing fraction of the devices and never loses a device that it has reached', () => {
    const quarter = new Set(reached(3_500));
    const half = new Set(reached(6_000));

    expect(Math.abs(quarter.size / DEVICES.length - 0.25)).toBeLessThan(0.02);
    expect(Math.abs(half.size / DEVICES.length - 0.5)).toBeLessThan(0.02);
    expect([...quarter].filter((device) => !half.has(device))).toEqual([]);
    expect(reached(11_000)).toHaveLength(DEVICES.length);
  });

  test('reaches the devices in another order for each cause', () => {
    const early = (cause: string) =>
      new Set(DEVICES.filter((device) => gradualMoveOf(cause, device, 0, 1, 0).position < 0.5));
    const [one, other] = [early('drain:a'), early('drain:b')];

    expect(
      Math.abs([...one].filter((device) => other.has(device)).length / DEVICES.length - 0.25),
    ).toBeLessThan(0.02);
  });

  test.each([
    ['no device when it has no start time', undefined, 0, 5, 0],
    ['no device before its start time', 10, 0, 5, 0],
    ['all devices at once when it has no duration', 10, 0, 10, 1],
    ['half of the devices after half of its duration', 0, 100, 50, 0.5],
    ['all devices after its duration', 0, 100, 1_000, 1],
  ])('reaches %s', (_, since, over, now, progress) => {
    expect(gradualMoveOf('cause', 'd', since, over, now).progress).toBe(progress);
  });

  test('treats device ids in any case as the same device', () => {
    expect(gradualMoveOf('c', 'Device-A', 0, 1, 0).position).toBe(
      gradualMoveOf('c', 'device-a', 0, 1, 0).position,
    );
  });
});
