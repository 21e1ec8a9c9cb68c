import { describe, expect, test } from '@jest/globals';
import { twinProblems, twinSizeOf } from '../../src/iot-hub/twin-limits.ts';
import type { JsonValue } from '../../src/json/json.ts';

/** So many objects below the section, with a leaf in the last. */
const nested = (objects: number, leaf: JsonValue = 1): JsonValue => ({
  a: objects === 0 ? leaf : nested(objects - 1, leaf),
});

describe('the limits of a twin', () => {
  test.each<[string, JsonValue]>([
    ['ten objects with a leaf in the tenth', nested(10)],
    ['nine objects with a list in the ninth', nested(9, [1])],
    ['a string of 4 KB', { a: 'x'.repeat(4096) }],
    ['the largest integer', { a: 4_503_599_627_370_495 }],
    ['null outside arrays', { a: { b: null } }],
  ])('allow %s', (_, value) => {
    expect(twinProblems('desired', value)).toEqual([]);
  });

  test.each<[string, JsonValue, string]>([
    ['eleven nested objects', nested(11), 'a.a.a.a.a.a.a.a.a.a.a'],
    ['an empty object in the tenth object', nested(10, {}), 'a.a.a.a.a.a.a.a.a.a.a'],
    ['a list in the tenth object', nested(10, [1]), 'a.a.a.a.a.a.a.a.a.a.a'],
    ['an object in a list in the ninth object', nested(9, [{ b: 1 }]), 'a.a.a.a.a.a.a.a.a.a.0'],
    ['a string over 4 KB in UTF-8', { a: 'é'.repeat(2049) }, 'a'],
    ['an integer over 2^52', { a: 4_503_599_627_370_496 }, 'a'],
    ['null in an array', { a: [1, null] }, 'a.1'],
    ['an object with null in an array', { a: [{ b: null }] }, 'a.0.b'],
    ['a key with a dot', { 'a.b': 1 }, 'a.b'],
    ['a key with a dollar', { $version: 1 }, '$version'],
    ['a key with a space', { 'a b': 1 }, 'a b'],
    ['a key with a control character', { 'a\u0001': 1 }, 'a\u0001'],
    ['a key over 1 KB', { ['k'.repeat(1025)]: 1 }, 'k'.repeat(1025)],
  ])('refuse %s', (_, value, path) => {
    expect(twinProblems('desired', value).map((problem) => problem.path.join('.'))).toEqual([path]);
  });

  test.each(['tags', 'desired', 'reported'] as const)('apply to the size of %s', (section) => {
    const kilobytes = section === 'tags' ? 8 : 32;
    const full = Object.fromEntries(
      Array.from({ length: kilobytes }, (_, i) => [`k${i % 10}${i}`.padEnd(24, '_'), 'x'.repeat(1000)]),
    );

    expect(twinSizeOf(full)).toBe(kilobytes * 1024);
    expect(twinProblems(section, full)).toEqual([]);
    expect(twinProblems(section, { ...full, b: true })).toHaveLength(1);
  });
});
