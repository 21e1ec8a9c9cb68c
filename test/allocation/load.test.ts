import { describe, expect, test } from '@jest/globals';
import { overloaded } from '../../src/allocation/score/load.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';

const sharers = (weights: Readonly<Record<string, number>>, devices: Readonly<Record<string, number>>) =>
  Object.entries(weights).map(([name, weight]) => ({ host: hostName(name), weight, devices: devices[name] }));

describe('overloaded hubs', () => {
  test.each<
    [string, Readonly<Record<string, number>>, Readonly<Record<string, number>>, number, readonly string[]]
  >([
    ['each hub has its share', { a: 3, b: 1 }, { a: 75, b: 25 }, 0.05, []],
    ['a hub is exactly at the cap', { a: 1, b: 1 }, { a: 105, b: 95 }, 0.05, []],
    ['one hub is above the cap', { a: 1, b: 1 }, { a: 106, b: 94 }, 0.05, ['a']],
    ['the small hub has too many devices for its weight', { a: 3, b: 1 }, { a: 60, b: 40 }, 0.05, ['b']],
    ['the cap is wide', { a: 1, b: 1 }, { a: 106, b: 94 }, 1, []],
    ['there are no devices', { a: 1, b: 1 }, { a: 0, b: 0 }, 0.05, []],
    ['only some hubs have a count', { a: 1, b: 1, c: 1 }, { a: 60, b: 40 }, 0.05, ['a']],
    ['no hub has a count', { a: 1 }, {}, 0.05, []],
    ['there is only one hub', { a: 1 }, { a: 1_000 }, 0.05, []],
  ])(
    'are those above (1 + epsilon) times their fair share when %s',
    (_, weights, devices, epsilon, expected) => {
      expect([...overloaded(sharers(weights, devices), epsilon)]).toEqual(expected);
    },
  );
});
