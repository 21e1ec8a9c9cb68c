import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  bestOf,
  compareScores,
  scoreHubs,
  significant,
  type WeightedHub,
} from '../../src/allocation/score/placement.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { hash } from '../../src/json/hash.ts';
import { fc } from '../support/properties.ts';

interface Vectors {
  readonly placements: readonly {
    readonly registrationId: string;
    readonly salt: string;
    readonly hubs: readonly { readonly host: string; readonly weight: number }[];
    readonly ranking: readonly { readonly host: string; readonly score: number }[];
  }[];
  readonly hashes: readonly { readonly parts: readonly string[]; readonly hash: number }[];
}
const vectors = JSON.parse(readFileSync('test/allocation/placement-vectors.json', 'utf8')) as Vectors;

const DEVICES = Array.from({ length: 20_000 }, (_, index) => `device-${index}`);
const hubs = (...weights: readonly number[]): WeightedHub[] =>
  weights.map((weight, index) => ({ host: hostName(`hub-${index}.azure-devices.net`), weight }));
const winner = (id: string, salt: string, weighted: readonly WeightedHub[]) =>
  bestOf(scoreHubs(id, salt, weighted))?.hub.host;

describe('the frozen test vectors', () => {
  test.each(
    vectors.placements.map((vector) => [vector.registrationId.slice(0, 20), vector.salt, vector] as const),
  )('give the placement of %s with salt "%s"', (_, __, { registrationId, salt, hubs: weighted, ranking }) => {
    const ranked = [
      ...scoreHubs(
        registrationId,
        salt,
        weighted.map(({ host, weight }) => ({ host: hostName(host), weight })),
      ),
    ].sort(compareScores);

    expect(ranked.map(({ hub, score }) => ({ host: hub.host, score: significant(score) }))).toEqual(ranking);
  });

  test.each(vectors.hashes)('give the hash of $parts', ({ parts, hash: expected }) => {
    expect(hash(...parts)).toBe(expected);
  });
});

describe('placement', () => {
  test('gives the same hub for any case of the id and any order of the hubs', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
        (id, weights) => {
          const weighted = hubs(...weights);

          expect(winner(id.toUpperCase().toLowerCase(), 's', [...weighted].reverse())).toBe(
            winner(id.toLowerCase(), 's', weighted),
          );
        },
      ),
    );
  });

  test('gives different hubs with another salt', () => {
    const weighted = hubs(1, 1);
    const same = DEVICES.filter((device) => winner(device, '', weighted) === winner(device, 'x', weighted));

    expect(Math.abs(same.length / DEVICES.length - 0.5)).toBeLessThan(0.03);
  });

  test('puts the hub with the best order first', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(
          fc.record({
            host: fc.domain().map(hostName),
            weight: fc.double({ min: 1e-300, max: 1e300, noNaN: true }),
            behind: fc.constantFrom(0, 0, 5),
          }),
          { minLength: 1 },
        ),
        (id, weighted) => {
          const scored = scoreHubs(id, '', weighted);

          expect(bestOf(scored)?.hub).toEqual([...scored].sort(compareScores)[0]?.hub);
        },
      ),
    );
  });

  test('puts a hub with a higher "behind" value after all others, whatever its weight', () => {
    const weighted = [...hubs(1, 1), { host: hostName('big.azure-devices.net'), weight: 1e6, behind: 1 }];

    expect(DEVICES.filter((device) => winner(device, '', weighted) === 'big.azure-devices.net')).toEqual([]);
  });

  test('rounds scores to the same twelve digits as toPrecision', () => {
    const score = fc.oneof(
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      // Exactly halfway between two numbers of twelve digits.
      fc
        .record({ whole: fc.integer({ min: 1e11, max: 1e12 - 1 }), exponent: fc.nat(20) })
        .map(({ whole, exponent }) => (whole + 0.5) / 10 ** exponent),
    );
    fc.assert(
      fc.property(score, (each) => {
        expect(significant(each)).toBe(Number(each.toPrecision(12)));
      }),
      { numRuns: 20_000 },
    );
  });

  test('treats scores that differ only in the 13th digit as equal and orders those hubs by host name', () => {
    const one = { hub: { host: hostName('a.x'), weight: 1 }, score: 0.123456789012 };
    const other = { hub: { host: hostName('b.x'), weight: 1 }, score: 0.1234567890118 };

    expect(bestOf([other, one])?.hub.host).toBe('a.x');
    expect(bestOf([other, { ...one, score: 0.1234567890131 }])?.hub.host).toBe('b.x');
  });
});
