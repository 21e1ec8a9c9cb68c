import { describe, expect, test } from '@jest/globals';
import { gradualMoveOf, isReached } from '../../src/allocation/moves/gradual-move.ts';
import { EPOCH, type EpochMs, epochMs } from '../../src/time/epoch-ms.ts';

const DEVICES = Array.from({ length: 20_000 }, (_, index) => `device-${index}`);
const reached = (now: EpochMs) =>
  DEVICES.filter((device) => isReached(gradualMoveOf('cause', device, epochMs(1_000), 10_000, now)));

describe('a gradual move', () => {
  test('reaches a growing fraction of the devices and never loses a device that it has reached', () => {
    const quarter = new Set(reached(epochMs(3_500)));
    const half = new Set(reached(epochMs(6_000)));

    expect(Math.abs(quarter.size / DEVICES.length - 0.25)).toBeLessThan(0.02);
    expect(Math.abs(half.size / DEVICES.length - 0.5)).toBeLessThan(0.02);
    expect([...quarter].filter((device) => !half.has(device))).toEqual([]);
    expect(reached(epochMs(11_000))).toHaveLength(DEVICES.length);
  });

  test('reaches the devices in another order for each cause', () => {
    const early = (cause: string) =>
      new Set(DEVICES.filter((device) => gradualMoveOf(cause, device, EPOCH, 1, EPOCH).position < 0.5));
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
    const start = since === undefined ? undefined : epochMs(since);

    expect(gradualMoveOf('cause', 'd', start, over, epochMs(now)).progress).toBe(progress);
  });

  test('treats device ids in any case as the same device', () => {
    expect(gradualMoveOf('c', 'Device-A', EPOCH, 1, EPOCH).position).toBe(
      gradualMoveOf('c', 'device-a', EPOCH, 1, EPOCH).position,
    );
  });
});
