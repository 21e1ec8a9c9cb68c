import { describe, expect, test } from '@jest/globals';
import { type Conditions, NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { expectedShares } from '../../src/allocation/receipt/expected-shares.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { chancesOf } from '../../src/allocation/score/chances.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, type RequestOptions, requestOf } from './requests.ts';

const NOW = epochMs(Date.UTC(2026, 10, 28));
const [WEU, EUS, SEA] = ['weu', 'eus', 'sea'].map((name) => hostName(`${name}.azure-devices.net`)) as [
  ReturnType<typeof hostName>,
  ReturnType<typeof hostName>,
  ReturnType<typeof hostName>,
];

const inputOf = (fleet: Fleet, options: RequestOptions, conditions = NO_CONDITIONS) => ({
  request: requestOf(options),
  fleet,
  conditions,
  now: NOW,
});
const registered = (fleet: Fleet, registrationId: string, payload: object) => {
  const input = inputOf(fleet, { context: { registrationId, payload } });
  return receiptOf(input, decide(input)).inputs;
};
const percentOf = (shares: ReturnType<typeof expectedShares>) =>
  [WEU, EUS, SEA].map((host) => Math.round((shares?.get(host)?.expected ?? Number.NaN) * 100));

describe('the chances of the hubs to get one device', () => {
  const chances = (fleet: Fleet, payload: object = {}, conditions?: Conditions) => {
    const { candidates } = decide(inputOf(fleet, { context: { payload } }, conditions));
    return Object.fromEntries(chancesOf(candidates));
  };

  test('are their shares of the weights', () => {
    expect(chances(fleetOf({ hubs: { weu: { weight: 2 } } }))).toEqual({
      [WEU]: 0.5,
      [EUS]: 0.25,
      [SEA]: 0.25,
    });
  });

  test('include the latency: a hub that is one half-life slower has half the chance', () => {
    const fleet = fleetOf({ allocation: { latency: { halfLifeMs: 100 } } });

    expect(chances(fleet, { latency: { [WEU]: 10, [EUS]: 110, [SEA]: 110 } })).toEqual({
      [WEU]: 0.5,
      [EUS]: expect.closeTo(0.25),
      [SEA]: expect.closeTo(0.25),
    });
  });

  test('are zero for slower hubs with a half-life of zero', () => {
    const fleet = fleetOf({ allocation: { latency: { halfLifeMs: 0 } } });

    expect(chances(fleet, { latency: { [WEU]: 10, [EUS]: 11, [SEA]: 10 } })).toEqual({
      [WEU]: 0.5,
      [SEA]: 0.5,
    });
  });

  test('are zero for overloaded hubs, unless all are overloaded', () => {
    const counts = (weu: number): Conditions => ({
      ...NO_CONDITIONS,
      hubs: new Map([
        [WEU, { devices: { count: weu, countedAt: NOW } }],
        [EUS, { devices: { count: 10, countedAt: NOW } }],
        [SEA, { devices: { count: 10, countedAt: NOW } }],
      ]),
    });
    const fleet = fleetOf({ allocation: { load: { epsilon: 0.1 } } });

    expect(chances(fleet, {}, counts(100))).toEqual({ [EUS]: 0.5, [SEA]: 0.5 });
    expect(Object.keys(chances(fleet, {}, counts(10)))).toHaveLength(3);
  });

  test('are the frequencies of many registration ids', () => {
    const fleet = fleetOf({ hubs: { weu: { weight: 3 }, sea: { weight: 0.5 } } });
    const devices = 4_000;
    const hosts = Array.from({ length: devices }, (_, index) => {
      const { result } = decide(inputOf(fleet, { context: { registrationId: `device-${index}` } }));
      return result.kind === 'assigned' ? result.host : undefined;
    });

    for (const [host, chance] of Object.entries(chances(fleet))) {
      const actual = hosts.filter((each) => each === host).length / devices;
      expect(Math.abs(actual - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / devices));
    }
  });
});

describe('the expected shares of the hubs', () => {
  const RULES = {
    rules: [
      { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } },
      { name: 'retired', when: "payload.model == 'x0'", whenUnknown: 'skip', deny: 'retired' },
    ],
  };
  const fleet = fleetOf({ allocation: RULES });

  test('are the mean of the chances, with the standard deviation of the actual share', () => {
    const shares = expectedShares(
      [registered(fleet, 'a', { country: 'DE' }), registered(fleet, 'b', { country: 'US' })],
      fleet,
      NO_CONDITIONS,
      NOW,
    );

    // The German device is on the hub in the EU for sure. The other one has three equal chances.
    expect(percentOf(shares)).toEqual([67, 17, 17]);
    expect(shares?.get(WEU)?.spread).toBeCloseTo(Math.sqrt((1 / 3) * (2 / 3)) / 2);
  });

  test('ignore what is temporary: a cordon and a count above the capacity', () => {
    const cordoned = fleetOf({
      allocation: RULES,
      hubs: { weu: { state: 'cordoned' }, sea: { capacity: 1 } },
    });
    const conditions: Conditions = {
      ...NO_CONDITIONS,
      hubs: new Map([[SEA, { devices: { count: 5, countedAt: NOW }, failures: 9 }]]),
    };

    const shares = expectedShares([registered(fleet, 'b', { country: 'US' })], cordoned, conditions, NOW);

    expect(percentOf(shares)).toEqual([33, 33, 33]);
  });

  test('use the overrides of an operator: a drain and a weight', () => {
    const override = { author: 'ann', reason: 'test', expiresAt: plus(NOW, 60_000) };
    const conditions: Conditions = {
      ...NO_CONDITIONS,
      hubs: new Map([
        [WEU, { overrides: { state: { ...override, value: 'draining' } } }],
        [EUS, { overrides: { weight: { ...override, value: 3 } } }],
      ]),
    };

    const shares = expectedShares([registered(fleet, 'b', { country: 'US' })], fleet, conditions, NOW);

    expect(percentOf(shares)).toEqual([0, 75, 25]);
  });

  test('leave out devices that a rule refuses, and do not exist without devices', () => {
    const retired = registered(fleet, 'old', { country: 'US', model: 'x0' });
    const german = registered(fleet, 'a', { country: 'DE' });

    expect(percentOf(expectedShares([retired, german], fleet, NO_CONDITIONS, NOW))).toEqual([100, 0, 0]);
    expect(expectedShares([retired], fleet, NO_CONDITIONS, NOW)).toBeUndefined();
    expect(expectedShares([], fleet, NO_CONDITIONS, NOW)).toBeUndefined();
  });
});
