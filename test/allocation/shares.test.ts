import { describe, expect, test } from '@jest/globals';
import { bestOf, scoreHubs, type WeightedHub } from '../../src/allocation/score/placement.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { fc } from '../support/properties.ts';

/**
 * The mathematics of weighted rendezvous hashing: the score of a hub is an exponential clock, so shares are the
 * weights, and with weights w before and v after, a device stays on hub i with the probability
 * 1 / sum over j of max(w_j / w_i, v_j / v_i).
 */

const DEVICES = Array.from({ length: 8_000 }, (_, index) => `device-${index}`);
/** Six standard errors: two of a thousand million runs would fail by chance. The seed is fixed too. */
const error = (probability: number) =>
  6 * Math.sqrt(Math.max(probability * (1 - probability), 1 / DEVICES.length) / DEVICES.length);
const RUNS = { seed: 20_261_125, numRuns: 15 };

/** A weight of 0: the hub is not there. */
type Weights = readonly number[];
const weighted = (weights: Weights): readonly WeightedHub[] =>
  weights.flatMap((weight, index) =>
    weight > 0 ? [{ host: hostName(`hub-${index}.azure-devices.net`), weight }] : [],
  );
const place = (weights: Weights): readonly number[] => {
  const hubs = weighted(weights);
  return DEVICES.map((device) =>
    Number(/^hub-(\d+)/.exec(bestOf(scoreHubs(device, '', hubs))?.hub.host ?? '')?.[1]),
  );
};
const share = (weights: Weights, index: number) =>
  (weights[index] ?? 0) / weights.reduce((sum, weight) => sum + weight, 0);
const totalVariation = (before: Weights, after: Weights) =>
  before.reduce((sum, _, index) => sum + Math.abs(share(before, index) - share(after, index)), 0) / 2;
const moved = (before: Weights, after: Weights) => {
  const [from, to] = [place(before), place(after)];
  return DEVICES.map((_, index) => [from[index] ?? -1, to[index] ?? -1] as const).filter(([i, j]) => i !== j);
};

const weight = fc.double({ min: 0.1, max: 10, noNaN: true });
const weights = fc.array(weight, { minLength: 2, maxLength: 8 });

describe('the shares of the hubs', () => {
  test('equal the weights, within the sampling error', () => {
    fc.assert(
      fc.property(weights, (given) => {
        const placed = place(given);

        given.forEach((_, index) => {
          const wanted = share(given, index);
          const got = placed.filter((winner) => winner === index).length / DEVICES.length;
          expect(Math.abs(got - wanted)).toBeLessThan(error(wanted));
        });
      }),
      RUNS,
    );
  });
});

describe('a hub that is added, removed or given another weight', () => {
  const change = fc
    .record({
      before: weights,
      at: fc.nat(),
      weight: fc.oneof(weight, fc.constant(0)),
      isAdded: fc.boolean(),
    })
    .map(({ before, at, weight: other, isAdded }) => {
      const index = at % before.length;
      const changed = before.map((old, each) => (each === index ? other : old));
      const added = isAdded && other > 0;
      return added ? { before: [...before, 0], after: [...before, other] } : { before, after: changed };
    })
    .filter(({ after }) => after.some((each) => each > 0));

  test('moves exactly the total-variation distance of the shares, within the sampling error', () => {
    fc.assert(
      fc.property(change, ({ before, after }) => {
        const distance = totalVariation(before, after);

        expect(Math.abs(moved(before, after).length / DEVICES.length - distance)).toBeLessThan(
          error(distance),
        );
      }),
      RUNS,
    );
  });

  test('only gains or only loses devices, and moves none between other hubs', () => {
    fc.assert(
      fc.property(change, ({ before, after }) => {
        const index = before.findIndex((old, each) => old !== after[each]);
        const grows = (after[index] ?? 0) > (before[index] ?? 0);

        expect(moved(before, after).filter(([from, to]) => (grows ? to : from) !== index)).toEqual([]);
      }),
      RUNS,
    );
  });
});

describe('a change of several weights', () => {
  const change = fc
    .integer({ min: 2, max: 8 })
    .chain((length) => {
      const some = fc.array(
        fc.oneof({ weight: 5, arbitrary: weight }, { weight: 1, arbitrary: fc.constant(0) }),
        {
          minLength: length,
          maxLength: length,
        },
      );
      return fc.record({ before: some, after: some });
    })
    .filter(({ before, after }) => [before, after].every((side) => side.some((each) => each > 0)));

  test('moves at most 2 TV / (1 + TV) of the devices, which is the share that the exponential clocks predict', () => {
    fc.assert(
      fc.property(change, ({ before, after }) => {
        const distance = totalVariation(before, after);
        const stay = before.reduce((sum, w, i) => {
          const v = after[i] ?? 0;
          if (w === 0 || v === 0) return sum;
          return (
            sum + 1 / before.reduce((all, other, j) => all + Math.max(other / w, (after[j] ?? 0) / v), 0)
          );
        }, 0);
        const part = moved(before, after).length / DEVICES.length;

        expect(part).toBeLessThan((2 * distance) / (1 + distance) + error(distance));
        expect(Math.abs(part - (1 - stay))).toBeLessThan(error(1 - stay));
      }),
      RUNS,
    );
  });

  test('moves a device only to a hub whose weight has grown more', () => {
    fc.assert(
      fc.property(change, ({ before, after }) => {
        const growth = (index: number) => (after[index] ?? 0) / (before[index] ?? 0);

        // The growth of a new hub is infinite, and the growth of a removed hub is zero.
        expect(moved(before, after).filter(([from, to]) => !(growth(to) > growth(from)))).toEqual([]);
      }),
      RUNS,
    );
  });
});
