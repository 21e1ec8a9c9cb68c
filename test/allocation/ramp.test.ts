import { describe, expect, test } from '@jest/globals';
import { isReached, rampOf } from '../../src/allocation/moves/ramp.ts';

const DEVICES = Array.from({ length: 20_000 }, (_, index) => `device-${index}`);
const reached = (now: number) =>
  DEVICES.filter((device) => isReached(rampOf('cause', device, 1_000, 10_000, now)));

describe('a ramp', () => {
  test('reaches a fraction of the devices that grows with time, and nobody falls out again', () => {
    const quarter = new Set(reached(3_500));
    const half = new Set(reached(6_000));

    expect(Math.abs(quarter.size / DEVICES.length - 0.25)).toBeLessThan(0.02);
    expect(Math.abs(half.size / DEVICES.length - 0.5)).toBeLessThan(0.02);
    expect([...quarter].filter((device) => !half.has(device))).toEqual([]);
    expect(reached(11_000)).toHaveLength(DEVICES.length);
  });

  test('is in another order for every cause', () => {
    const early = (cause: string) =>
      new Set(DEVICES.filter((device) => rampOf(cause, device, 0, 1, 0).position < 0.5));
    const [one, other] = [early('drain:a'), early('drain:b')];

    expect(
      Math.abs([...one].filter((device) => other.has(device)).length / DEVICES.length - 0.25),
    ).toBeLessThan(0.02);
  });

  test.each([
    ['nobody without a time', undefined, 0, 5, 0],
    ['nobody before its time', 10, 0, 5, 0],
    ['everybody at once where it has no length', 10, 0, 10, 1],
    ['half of all after half its length', 0, 100, 50, 0.5],
    ['everybody after its length', 0, 100, 1_000, 1],
  ])('reaches %s', (_, since, over, now, progress) => {
    expect(rampOf('cause', 'd', since, over, now).progress).toBe(progress);
  });

  test('knows a device whatever the case of its id', () => {
    expect(rampOf('c', 'Device-A', 0, 1, 0).position).toBe(rampOf('c', 'device-a', 0, 1, 0).position);
  });
});
