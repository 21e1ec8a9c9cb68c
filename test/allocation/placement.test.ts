import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Contender, rank } from '../../src/allocation/placement.ts';
import { isReached } from '../../src/allocation/ramp.ts';
import { hostName } from '../../src/fleet/host-name.ts';
import { hash } from '../../src/hash.ts';

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
const hubs = (...weights: readonly number[]): Contender[] =>
  weights.map((weight, index) => ({ host: hostName(`hub-${index}.azure-devices.net`), weight }));
const place = (contenders: readonly Contender[]) =>
  DEVICES.map((device) => rank(device, '', contenders)[0]?.hub.host);

describe('the frozen vectors', () => {
  test.each(
    vectors.placements.map((vector) => [vector.registrationId.slice(0, 20), vector.salt, vector] as const),
  )('of %s, salt "%s"', (_, __, { registrationId, salt, hubs: contenders, ranking }) => {
    const ranked = rank(
      registrationId,
      salt,
      contenders.map(({ host, weight }) => ({ host: hostName(host), weight })),
    );

    expect(ranked.map(({ hub, score }) => ({ host: hub.host, score }))).toEqual(ranking);
  });

  test.each(vectors.hashes)('of the hash of $parts', ({ parts, hash: expected }) => {
    expect(hash(...parts)).toBe(expected);
  });
});

describe('placement', () => {
  test('gives the same hub whatever the case of the id and the order of the hubs', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
        (id, weights) => {
          const contenders = hubs(...weights);
          const winner = rank(id.toLowerCase(), 's', contenders)[0]?.hub.host;

          expect(rank(id.toUpperCase().toLowerCase(), 's', [...contenders].reverse())[0]?.hub.host).toBe(
            winner,
          );
        },
      ),
    );
  });

  test('shares are the weights, within five standard errors of sampling', () => {
    const contenders = hubs(5, 3, 1, 0.5);
    const placed = place(contenders);
    const total = contenders.reduce((sum, { weight }) => sum + weight, 0);

    for (const { host, weight } of contenders) {
      const share = weight / total;
      const got = placed.filter((winner) => winner === host).length / DEVICES.length;
      expect(Math.abs(got - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / DEVICES.length));
    }
  });

  test('a hub that is added takes devices, and no other device moves', () => {
    const before = place(hubs(3, 2, 1));
    const after = place(hubs(3, 2, 1, 2));

    const moved = DEVICES.filter((_, index) => before[index] !== after[index]);
    const toOthers = DEVICES.filter(
      (_, index) => before[index] !== after[index] && after[index] !== 'hub-3.azure-devices.net',
    );
    expect(toOthers).toEqual([]);
    expect(Math.abs(moved.length / DEVICES.length - 2 / 8)).toBeLessThan(0.02);
  });

  test('a hub that is removed gives its devices away, and no other device moves', () => {
    const all = hubs(3, 2, 1);
    const before = place(all);
    const after = place(all.slice(1));

    const movedThoughTheirHubStayed = DEVICES.filter(
      (_, index) => before[index] !== all[0]?.host && before[index] !== after[index],
    );
    expect(movedThoughTheirHubStayed).toEqual([]);
  });

  test('a weight that grows only draws devices to its hub', () => {
    const before = place(hubs(3, 2, 1));
    const after = place(hubs(3, 2, 4));

    const wrongWay = DEVICES.filter(
      (_, index) => before[index] !== after[index] && after[index] !== 'hub-2.azure-devices.net',
    );
    expect(wrongWay).toEqual([]);
  });

  test('a salt changes who goes where', () => {
    const contenders = hubs(1, 1);
    const same = DEVICES.filter(
      (device) => rank(device, '', contenders)[0]?.hub.host === rank(device, 'x', contenders)[0]?.hub.host,
    );

    expect(Math.abs(same.length / DEVICES.length - 0.5)).toBeLessThan(0.03);
  });
});

describe('a ramp', () => {
  const reached = (now: number) =>
    DEVICES.filter((device) => isReached([device, 'cause'], 1_000, 10_000, now));

  test('reaches a fraction of the devices that grows with time, and nobody falls out again', () => {
    const quarter = new Set(reached(3_500));
    const half = new Set(reached(6_000));

    expect(Math.abs(quarter.size / DEVICES.length - 0.25)).toBeLessThan(0.02);
    expect(Math.abs(half.size / DEVICES.length - 0.5)).toBeLessThan(0.02);
    expect([...quarter].filter((device) => !half.has(device))).toEqual([]);
    expect(reached(11_000)).toHaveLength(DEVICES.length);
  });

  test('reaches nobody without a time, or before it', () => {
    expect(isReached(['d'], undefined, 0, 5)).toBe(false);
    expect(isReached(['d'], 10, 0, 5)).toBe(false);
    expect(isReached(['d'], 10, 0, 10)).toBe(true);
  });
});
