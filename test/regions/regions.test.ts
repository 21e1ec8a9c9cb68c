import { describe, expect, test } from '@jest/globals';
import table from '../../src/regions/azure-regions.json' with { type: 'json' };
import {
  coordinatesOf,
  distanceKm,
  expectedRoundTripMs,
  regionName,
  roundTripMs,
} from '../../src/regions/regions.ts';

const pairs = Object.entries(table.roundTripMs).flatMap(([one, others]) =>
  Object.entries(others).map(([other, ms]) => [one, other, ms as number] as const),
);
const place = (region: string) => coordinatesOf(region) ?? { lat: Number.NaN, lon: Number.NaN };

describe('the table of regions', () => {
  test.each([
    ['eastus', 'westeurope', 84],
    ['westeurope', 'northeurope', 18],
    ['japaneast', 'southeastasia', 73],
    ['southeastasia', 'japaneast', 73],
    ['westeurope', 'westeurope', 1],
    ['westeurope', 'denmarkeast', undefined],
    ['atlantis', 'atlantis', undefined],
  ])('gives the round-trip time from %s to %s', (one, other, ms) => {
    expect(roundTripMs(one, other)).toBe(ms);
  });

  test('has coordinates for every region with times, and its times are plausible', () => {
    for (const [one, other, ms] of pairs) {
      // Nothing is faster than light in glass, there and back: 1 ms for each 100 km.
      expect([one, other, ms >= (distanceKm(place(one), place(other)) / 100) * 0.8]).toEqual([
        one,
        other,
        true,
      ]);
      expect(ms).toBeLessThan(400);
    }
    expect(pairs).toHaveLength(1_226);
  });

  test('states what its figures mean and where they come from', () => {
    expect(table.about.join(' ')).toMatch(/Microsoft.*CC BY 4\.0/);
  });
});

test.each(['West Europe', 'westeurope', 'WEST-EUROPE', 'west_europe'])(
  'the region name %s means westeurope',
  (text) => {
    expect(regionName(text)).toBe('westeurope');
  },
);

describe('the distance between two regions', () => {
  test('is the great-circle distance', () => {
    const [amsterdam, newYork] = [
      { lat: 52.37, lon: 4.9 },
      { lat: 40.71, lon: -74.01 },
    ];

    expect(distanceKm(amsterdam, newYork)).toBeCloseTo(5_863, -2);
    expect(distanceKm(amsterdam, amsterdam)).toBe(0);
    expect(distanceKm({ lat: 0, lon: 179 }, { lat: 0, lon: -179 })).toBeCloseTo(222, 0);
  });

  test('predicts the times of the table with an average error of at most 27 ms', () => {
    const errors = pairs.map(([one, other, ms]) =>
      Math.abs(expectedRoundTripMs(place(one), place(other)) - ms),
    );

    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(27);
  });
});
