import { describe, expect, test } from '@jest/globals';
import { createQuota } from '../../../local/iot-hub/hub/quota.ts';
import { createShaper, throttleRate } from '../../../local/iot-hub/hub/throttle.ts';
import { problemOfContent, problemOfSize, sectionSizeOf } from '../../../local/iot-hub/model/twin-limits.ts';
import type { JsonObject } from '../../../src/json/json.ts';
import { fc } from '../../support/properties.ts';

function nested(levels: number): JsonObject {
  let value: JsonObject = { property: 'value' };
  for (let level = 0; level < levels; level += 1) value = { level: value };
  return value;
}

describe('the limits of a twin', () => {
  test.each<[string, JsonObject, RegExp | undefined]>([
    ['ordinary values', { a: 1, b: 1.5, c: true, d: 'x', e: { f: [1, 'a', { g: 1 }] }, h: null }, undefined],
    ['ten levels of objects', nested(10), undefined],
    ['eleven levels of objects', nested(11), /deeper than 10/],
    ['arrays, which count as a level', { a: [[[[[[[[[[[1]]]]]]]]]]] }, /deeper than 10/],
    ['a key of 1 KB', { ['k'.repeat(1024)]: 1 }, undefined],
    ['a key of more than 1 KB in UTF-8', { ['é'.repeat(513)]: 1 }, /longer than 1024/],
    ['a key with a space', { 'a b': 1 }, /not allowed/],
    ['a key with a dot, deep inside', { a: { 'b.c': 1 } }, /not allowed/],
    ['a key with a dollar', { $a: 1 }, /not allowed/],
    ['a key with a control character', { 'a\u0085': 1 }, /not allowed/],
    ['a key with a hash sign', { 'a#b': 1 }, undefined],
    ['a string of 4 KB', { a: 'x'.repeat(4096) }, undefined],
    ['a string of more than 4 KB in UTF-8', { a: 'é'.repeat(2049) }, /longer than 4096/],
    ['the largest integer', { a: 4503599627370495 }, undefined],
    ['an integer above the largest one', { a: 4503599627370496 }, /outside/],
    ['the smallest integer', { a: -4503599627370496 }, undefined],
    ['an integer below the smallest one', { a: -4503599627370497 }, /outside/],
    ['a number that JSON cannot hold', { a: Number.POSITIVE_INFINITY }, /not a number/],
    ['null in an array', { a: [1, null] }, /cannot be null/],
    ['an object with null in an array', { a: [{ b: null }] }, /cannot be null/],
    ['null deep in arrays', { a: [[{ b: [null] }]] }, /cannot be null/],
    ['a bad key inside an array', { a: [{ 'b.c': 1 }] }, /not allowed/],
  ])('the limits of a twin are checked for %s', (_name, content, problem) => {
    if (problem === undefined) expect(problemOfContent(content)).toBeUndefined();
    else expect(problemOfContent(content)).toMatch(problem);
  });

  test('sizes count keys and strings in UTF-8, numbers as 8 and booleans as 4 bytes', () => {
    expect(sectionSizeOf({ ab: 'é', c: 1, d: [true, 2], e: { f: 'xyz' } })).toBe(
      2 + 2 + 1 + 8 + 1 + 12 + 1 + 4,
    );
  });

  test.each<['tags' | 'desired' | 'reported', number]>([
    ['tags', 8192],
    ['desired', 32768],
    ['reported', 32768],
  ])('the section %s can hold %i bytes and not one more', (name, limit) => {
    expect(problemOfSize(name, { k: 'x'.repeat(limit - 1) })).toBeUndefined();
    expect(problemOfSize(name, { k: 'x'.repeat(limit) })).toContain(`${limit + 1} bytes`);
  });
});

describe('throttling', () => {
  test('the rates depend on tier and units', () => {
    expect(throttleRate('twinUpdates', 'S1', 10)).toBe(50); // whatever the units
    expect(throttleRate('twinReads', 'F1', 1)).toBe(100);
    expect(throttleRate('twinUpdates', 'S2', 20)).toBe(100);
    expect(throttleRate('twinReads', 'S3', 2)).toBe(1000);
    expect(throttleRate('queries', 'S1', 3)).toBe(1);
    expect(throttleRate('identityOperations', 'S3', 1)).toBeCloseTo(83.33, 2);
    expect(throttleRate('connections', 'S1', 9)).toBe(108);
  });

  test('a burst is accepted, the next calls are delayed, and further calls are refused', () => {
    const shaper = createShaper(10, { burstMs: 1000, backlogMs: 500 });

    const answers = Array.from({ length: 20 }, () => shaper.admit(0, 1));

    expect(answers.slice(0, 10)).toEqual(Array(10).fill({ delayMs: 0 }));
    expect(answers.slice(10, 15)).toEqual([100, 200, 300, 400, 500].map((delayMs) => ({ delayMs })));
    expect(answers.slice(15)).toEqual(Array(5).fill('refused'));
    expect(shaper.admit(1000, 1)).toEqual({ delayMs: 0 });
  });

  test('no sequence of calls exceeds rate and burst', () => {
    const shaping = { burstMs: 1000, backlogMs: 500 };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 200 }), (gaps) => {
        const shaper = createShaper(10, shaping);
        const passed: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          const answer = shaper.admit(now, 1);
          if (answer !== 'refused') passed.push(now + answer.delayMs);
        }
        passed.forEach((end, last) => {
          const inWindow = passed.filter((time, index) => index <= last && time > end - 1000).length;
          expect(inWindow).toBeLessThanOrEqual(10 + 10 + 1);
        });
        expect([...passed].sort((a, b) => a - b)).toEqual(passed);
      }),
    );
  });
});

describe('the daily quota', () => {
  const NOON = Date.parse('2024-03-01T12:00:00Z');

  test.each([
    ['F1', 512, 1],
    ['F1', 513, 2],
    ['S1', 4096, 1],
    ['S1', 4097, 2],
    ['S1', 0, 1],
  ] as const)('the tier %s counts %i bytes as %i messages', (tier, bytes, messages) => {
    const quota = createQuota(tier, 1);
    quota.count(NOON, bytes);
    expect(quota.used(NOON)).toBe(messages);
  });

  test('the daily quota is used up at its limit and renewed at midnight UTC', () => {
    const quota = createQuota('F1', 2);
    quota.count(NOON, 512 * 15_999);
    expect(quota.isSpent(NOON)).toBe(false);
    quota.count(NOON, 1);
    expect(quota.isSpent(NOON)).toBe(true);
    expect(quota.isSpent(Date.parse('2024-03-02T00:00:00Z'))).toBe(false);
  });
});
