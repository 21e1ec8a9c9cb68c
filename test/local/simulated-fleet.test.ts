import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { deviceProfiles, registrationPayload } from '../../local/devices/device-profiles.ts';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { expectedShares } from '../../src/allocation/receipt/expected-shares.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { CAPTURED, requestOf } from '../allocation/requests.ts';

/** The simulated devices of `npm start`, placed by the committed fleet file. */

const NOW = epochMs(Date.UTC(2026, 10, 28));
const MOST = 200;
const DEFAULT = 20;

const parsed = parseFleet(readFileSync('fleet.json', 'utf8'));
if (!parsed.ok) throw new Error('fleet.json is not valid');
const { fleet } = parsed;
const hosts = fleet.hubs.map(({ host }) => host);
const receipts = deviceProfiles(MOST).map((profile) => {
  const request = requestOf({
    context: { registrationId: profile.deviceId, payload: registrationPayload(profile) },
    group: { ...CAPTURED.enrollmentGroup, iotHubs: [] },
    linkedHubs: hosts,
  });
  const input = { request, fleet, conditions: NO_CONDITIONS, now: NOW };
  return { profile, receipt: receiptOf(input, decide(input)) };
});
const hubOf = ({ receipt: { result } }: (typeof receipts)[number]) =>
  result.kind === 'assigned' ? result.host : undefined;

function sharesOf(devices: number) {
  const some = receipts.slice(0, devices);
  const inputs = some.map(({ receipt }) => receipt.inputs);
  const expected = expectedShares(inputs, fleet, NO_CONDITIONS, NOW);
  return fleet.hubs.map(({ host, weight }) => ({
    host,
    wanted: weight / fleet.hubs.reduce((sum, hub) => sum + hub.weight, 0),
    actual: some.filter((each) => hubOf(each) === host).length / devices,
    ...(expected?.get(host) ?? { expected: Number.NaN, spread: Number.NaN }),
  }));
}
/** Hubs whose actual share is farther from the expected one than so many standard deviations. */
const farFrom = (devices: number, deviations: number) =>
  sharesOf(devices)
    .filter(({ actual, expected, spread }) => !(Math.abs(actual - expected) <= deviations * spread))
    .map(({ host }) => `${devices} devices: ${host}`);

describe('the simulated devices on the hubs of the committed fleet file', () => {
  test('have actual shares within two standard deviations of the expected ones, for any number up to 200', () => {
    const numbers = Array.from({ length: MOST }, (_, index) => index + 1);

    expect(numbers.flatMap((devices) => farFrom(devices, 2))).toEqual([]);
  });

  test('have actual shares within one standard deviation for the default number, near the weights', () => {
    expect(farFrom(DEFAULT, 1)).toEqual([]);
    for (const { wanted, expected, actual } of sharesOf(DEFAULT)) {
      expect(Math.abs(expected - wanted)).toBeLessThan(0.04);
      expect(Math.abs(actual - wanted)).toBeLessThan(0.04);
    }
  });

  test('come from five countries, and stay in the EU if their rule requires it', () => {
    const some = receipts.slice(0, DEFAULT);
    const matching = some.filter(({ receipt }) =>
      receipt.rules.some(({ name, result }) => name === 'eu-residency' && result === 'matched'),
    );

    expect(new Set(some.map(({ profile }) => profile.country))).toEqual(
      new Set(['DE', 'FR', 'NL', 'US', 'SG']),
    );
    expect(matching.length).toBeGreaterThan(DEFAULT / 3);
    expect(matching.every(({ profile }) => ['DE', 'FR', 'NL'].includes(profile.country))).toBe(true);
    const residencies = matching.map(
      (each) => fleet.hubs.find(({ host }) => host === hubOf(each))?.labels.residency,
    );
    expect(new Set(residencies)).toEqual(new Set(['eu']));
  });

  test('show nearness: most devices are on the nearest hub that the rules allow', () => {
    const isNearest = (each: (typeof receipts)[number]) => {
      const allowed = each.receipt.hubs.filter(({ excluded }) => excluded === undefined);
      const nearest = allowed.toSorted((one, other) => (one.latencyMs ?? 0) - (other.latencyMs ?? 0))[0];
      return nearest !== undefined && nearest.host === hubOf(each);
    };
    const some = receipts.slice(0, DEFAULT);

    expect(some.every(({ receipt }) => receipt.hubs.every(({ latencyMs }) => latencyMs !== undefined))).toBe(
      true,
    );
    expect(some.filter(isNearest).length).toBeGreaterThan(DEFAULT / 2);
  });
});
