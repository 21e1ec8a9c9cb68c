import { describe, expect, test } from '@jest/globals';
import { claimFrom, hasWholeBudget, isLeftToResync } from '../../src/hub/write-claim.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { T0 } from '../twin/twins.ts';

const at = (seconds: number) => plus(T0, 1_000 * seconds);
const claim = claimFrom(undefined, T0);

describe('a claim of the writes of a hub', () => {
  test('is kept by partitions at once, and used by resyncFleet after all instances know of it', () => {
    expect(isLeftToResync(claim, T0)).toBe(true);
    expect(hasWholeBudget(claim, at(39))).toBe(false);
    expect(hasWholeBudget(claim, at(40))).toBe(true);
  });

  test('ends for resyncFleet 15 seconds before it ends for the partitions', () => {
    expect(hasWholeBudget(claim, at(104))).toBe(true);
    expect(hasWholeBudget(claim, at(105))).toBe(false);
    expect(isLeftToResync(claim, at(119))).toBe(true);
    expect(isLeftToResync(claim, at(120))).toBe(false);
  });

  test('does not wait again when it is renewed in time', () => {
    expect(claimFrom(claim, at(40))).toBe(claim);
    expect(claimFrom(claim, at(41))).toEqual({ from: claim.from, until: at(161) });
  });

  test('waits again when it is renewed after its end, because partitions may have written', () => {
    expect(claimFrom(claim, at(120))).toEqual({ from: at(160), until: at(240) });
  });

  test('never lets partitions and resyncFleet use their budgets at the same time', () => {
    for (let second = 0; second < 200; second += 1) {
      const both = hasWholeBudget(claim, at(second)) && !isLeftToResync(claim, at(second + 10));
      expect([second, both]).toEqual([second, false]);
    }
  });

  test('does not exist: partitions write, and resyncFleet has its usual part', () => {
    expect(isLeftToResync(undefined, T0)).toBe(false);
    expect(hasWholeBudget(undefined, T0)).toBe(false);
  });
});
