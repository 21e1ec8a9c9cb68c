import { describe, expect, test } from '@jest/globals';
import { twinProblems } from '../../src/iot-hub/twin-limits.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { withMarkers } from '../../src/twin/plan/components.ts';
import { patchOf } from '../../src/twin/plan/patch.ts';
import { whatDoesNotFit } from '../../src/twin/plan/room.ts';
import { mergePatch, nest } from '../../src/twin/snapshot/merge.ts';
import { fc } from '../support/properties.ts';

interface Leaf {
  readonly path: readonly string[];
  readonly wanted: JsonValue;
}
const isComponent = (name: string) => name === 'c';

/** The same, merged whole for each leaf. */
function expected(desired: JsonObject, leaves: readonly Leaf[]): ReadonlyMap<Leaf, string> {
  const unfit = new Map<Leaf, string>();
  let merged = desired;
  for (const isRemoval of [true, false]) {
    for (const leaf of leaves.filter(({ wanted }) => (wanted === null) === isRemoval)) {
      const next = mergePatch(merged, withMarkers(nest(leaf.path, leaf.wanted), isComponent));
      const [problem] = isRemoval ? [] : twinProblems('desired', next);
      if (problem === undefined) merged = next;
      else unfit.set(leaf, `cannot be written: ${problem.path.join('.') || 'desired'} ${problem.message}`);
    }
  }
  return unfit;
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'ä');
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(null, 1, true, 'ü', [], [null], {}, { a: 1 }, { 'a.b': 1 }, 2 ** 53),
  fc.nat(5_000).map((length) => 'x'.repeat(length)),
  fc.nat(900).map((length) => Array<JsonValue>(length).fill(1)),
);
const filling = fc.integer({ min: 0, max: 8 }).map((count) => Array<string>(count).fill('x'.repeat(4_000)));

test('values that do not fit are the values that the hub would refuse, for any twin and any wanted values', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ path: fc.tuple(key, key, key), wanted: value }), {
        selector: ({ path }) => path.join('.'),
        maxLength: 12,
      }),
      filling,
      fc.constantFrom<JsonObject>({}, { a: 1, b: { a: { a: 'x' } } }, { c: { __t: 'c', a: { a: {} } } }),
      (leaves, filled, before) => {
        const desired = { ...before, filled };

        expect(whatDoesNotFit({ desired }, leaves, isComponent)).toEqual(expected(desired, leaves));
      },
    ),
    { numRuns: 500 },
  );
});

test('a twin that other writers filled with invalid values accepts every value that fits', () => {
  expect(
    whatDoesNotFit({ desired: { 'a.b': 1, n: 2 ** 53 } }, [{ path: ['x'], wanted: 1 }], () => false).size,
  ).toBe(0);
});

describe('a set of a hundred thousand properties', () => {
  const paths = Array.from({ length: 100_000 }, (_, index) => ['group', `property${index}`]);

  test('is checked and found too large', () => {
    const leaves = paths.map((path) => ({ path, wanted: 1 }));

    expect(whatDoesNotFit({ desired: {} }, leaves, () => false).size).toBeGreaterThan(50_000);
  });

  // If each property copied the patch before it, this would take minutes, and end at the time limit of tests.
  test('becomes a patch, and its values stay unchanged', () => {
    const wanted = { inner: 1 };
    const writes = paths.map((path) => ({ path, policy: 'p', by: 'p', value: wanted, wholeAt: undefined }));

    const patch: JsonObject = patchOf({ desired: {} }, writes, () => false);

    expect(Object.keys(patch.group ?? {})).toHaveLength(100_000);
    expect(wanted).toEqual({ inner: 1 });
  });
});
