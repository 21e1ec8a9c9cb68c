import { describe, expect, test } from '@jest/globals';
import { overloaded } from '../../src/allocation/score/load.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';

const sharers = (weights: Readonly<Record<string, number>>, devices: Readonly<Record<string, number>>) =>
  Object.entries(weights).map(([name, weight]) => ({ host: hostName(name), weight, devices: devices[name] }));

describe('overloaded is what has more than (1 + epsilon) of its fair share', () => {
  test.each<
    [string, Readonly<Record<string, number>>, Readonly<Record<string, number>>, number, readonly string[]]
  >([
    ['nobody, at their shares', { a: 3, b: 1 }, { a: 75, b: 25 }, 0.05, []],
    ['nobody, at the cap', { a: 1, b: 1 }, { a: 105, b: 95 }, 0.05, []],
    ['one, above it', { a: 1, b: 1 }, { a: 106, b: 94 }, 0.05, ['a']],
    ['the small one, for its weight', { a: 3, b: 1 }, { a: 60, b: 40 }, 0.05, ['b']],
    ['nobody, with a wide cap', { a: 1, b: 1 }, { a: 106, b: 94 }, 1, []],
    ['nobody, of no devices', { a: 1, b: 1 }, { a: 0, b: 0 }, 0.05, []],
    ['only who is counted, among the counted', { a: 1, b: 1, c: 1 }, { a: 60, b: 40 }, 0.05, ['a']],
    ['nobody, where nobody is counted', { a: 1 }, {}, 0.05, []],
    ['never the only one', { a: 1 }, { a: 1_000 }, 0.05, []],
  ])('%s', (_, weights, devices, epsilon, expected) => {
    expect([...overloaded(sharers(weights, devices), epsilon)]).toEqual(expected);
  });
});
