import { describe, expect, test } from '@jest/globals';
import { COMPARISONS, type Comparison, momentIn, numberIn } from '../../src/fleet/comparison.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { sameValue } from '../../src/twin/answers/compare.ts';
import { fc } from '../support/properties.ts';

type Row = readonly [how: Comparison, left: JsonValue, right: JsonValue];

const FLOAT = Math.fround(21.1);

const same: readonly Row[] = [
  ['exact', { a: 1, b: [2] }, { b: [2], a: 1 }],
  ['number', '5000', 5000],
  ['number', ' +5000.0 ', 5000],
  ['number', '5e3', '5000'],
  ['number', FLOAT, 21.1],
  ['number', String(FLOAT), 21.1],
  ['number', 0.12345679, 0.123456789],
  ['number', ['1', 2], [1, '2']],
  ['number', { a: '1' }, { a: 1 }],
  ['number', '9007199254740993', '9007199254740993'],
  ['text', '5000', 5000],
  ['text', 'true', true],
  ['text', ['1', 'true'], [1, true]],
  ['ignoreCase', 'ECO', 'eco'],
  ['ignoreCase', 'True', true],
  ['ignoreCase', 'ZÜRICH', 'zürich'],
  ['ignoreCase', ['A'], ['a']],
  ['ignoreCase', 'ΟΔΟΣ', 'οδοσ'],
  ['ignoreCase', 'STRASSE', 'straße'],
  ['instant', '2026-06-01T22:00:00+02:00', '2026-06-01T20:00:00Z'],
  ['instant', '2026-06-01T22:00:00+02:00', '2026-06-01T20:00:00.0000000Z'],
  ['instant', '2026-06-01T00:30:00+01:00', '2026-05-31T23:30:00.000+00:00'],
  ['instant', '2026-06-01T20:00:00-0330', '2026-06-01T23:30Z'],
  ['instant', '2026-06-01t20:00:00.5z', '2026-06-01 20:00:00.50Z'],
  ['instant', ['2026-06-01T20:00:00Z'], ['2026-06-01T20:00:00+00:00']],
  ['set', [1, 'a', true], [true, 'a', 1]],
  ['set', [{ a: 1, b: 2 }, [1, 2]], [[1, 2], { b: 2, a: 1 }]],
  ['set', [1, 1, 2], [1, 2, 1]],
];

const different: readonly Row[] = [
  ['exact', '5000', 5000],
  ['exact', FLOAT, 21.1],
  ['exact', [1, 2], [2, 1]],
  ['number', '5000', 5001],
  ['number', '', 0],
  ['number', ' ', 0],
  ['number', null, 0],
  ['number', false, 0],
  ['number', true, 1],
  ['number', 'Infinity', 'infinity'],
  ['number', '0x10', 16],
  ['number', '5,000', 5000],
  ['number', '9007199254740993', '9007199254740992'],
  ['number', 16_777_217, 16_777_216],
  ['number', 1e-60, 2e-60],
  ['number', 21.1, 21.2],
  ['number', [5], 5],
  ['text', '5000.0', 5000],
  ['text', 'True', true],
  ['text', 'null', null],
  ['text', ' a', 'a'],
  ['ignoreCase', 'eco', 'echo'],
  ['ignoreCase', '1', true],
  ['instant', '2026-06-01T22:00:00+02:00', '2026-06-01T22:00:00Z'],
  ['instant', '2026-06-01T20:00:00.123Z', '2026-06-01T20:00:00.1234567Z'],
  ['instant', '2026-06-01T20:00:00', '2026-06-01T20:00:00Z'],
  ['instant', '2026-02-30T00:00:00Z', '2026-03-02T00:00:00Z'],
  ['instant', '2026-06-01T24:00:00Z', '2026-06-02T00:00:00Z'],
  ['instant', 1_780_344_000, '2026-06-01T20:00:00Z'],
  ['set', [1, 2], [1, 2, 2]],
  ['set', [1, 1, 2], [1, 2, 2]],
  ['set', [[1, 2]], [[2, 1]]],
  ['set', [1], ['1']],
  ['set', { a: [1, 2] }, { a: [2, 1] }],
];

describe('the comparison of values', () => {
  test.each(same)('by %s treats %j and %j as the same', (how, left, right) => {
    expect([sameValue(left, right, how), sameValue(right, left, how)]).toEqual([true, true]);
  });

  test.each(different)('by %s treats %j and %j as different', (how, left, right) => {
    expect([sameValue(left, right, how), sameValue(right, left, how)]).toEqual([false, false]);
  });

  test('uses the tolerance between numbers in every mode', () => {
    for (const how of COMPARISONS) {
      expect(sameValue([1.4, 7], [1, 7], how, 0.5)).toBe(true);
      expect(sameValue([1.6, 7], [1, 7], how, 0.5)).toBe(false);
    }
    expect(sameValue('5.4', 5, 'number', 0.5)).toBe(true);
    expect(sameValue([3.1, 1.2], [1, 3], 'set', 0.25)).toBe(true);
  });
});

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -3, max: 3 }).map(String),
  fc.constantFrom('a', 'A', 'true', 'True', '1.0', '2026-06-01T20:00:00Z', '2026-06-01T22:00:00+02:00', ''),
  fc.string({ maxLength: 3 }),
);
const json: fc.Arbitrary<JsonValue> = fc.letrec<{ json: JsonValue }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalar,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b'), tie('json'), { noNullPrototype: true }),
  ),
})).json;
const word = fc.constantFrom(...COMPARISONS);

describe('every comparison', () => {
  test('treats a value as equal to itself', () => {
    fc.assert(fc.property(json, word, (value, how) => sameValue(value, structuredClone(value), how)));
  });

  test('gives the same result in both directions', () => {
    fc.assert(
      fc.property(
        json,
        json,
        word,
        fc.constantFrom(0, 0.5),
        (one, other, how, tolerance) =>
          sameValue(one, other, how, tolerance) === sameValue(other, one, how, tolerance),
      ),
    );
  });

  test('treats all exactly equal values as equal', () => {
    fc.assert(
      fc.property(json, json, word, (one, other, how) => {
        return !sameValue(one, other, 'exact') || sameValue(one, other, how);
      }),
    );
  });
});

describe('two values that differ in what a comparison compares', () => {
  test('are different when they are whole numbers, as numbers or as texts', () => {
    const whole = fc.maxSafeInteger();
    fc.assert(
      fc.property(whole, whole, fc.boolean(), fc.boolean(), (one, other, isText, isOtherText) => {
        const left = isText ? String(one) : one;
        const right = isOtherText ? String(other) : other;
        return sameValue(left, right, 'number') === (one === other);
      }),
    );
  });

  test('are different when they are fractions that differ as 32-bit floats', () => {
    const fraction = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fraction, fraction, (one, other) => {
        fc.pre(Math.fround(one) !== Math.fround(other));
        return !sameValue(one, other, 'number');
      }),
    );
  });

  test('are different when they are different moments in any time zone', () => {
    const moment = fc.integer({ min: 0, max: 4_102_444_800 });
    const zone = fc.integer({ min: -14 * 60, max: 14 * 60 });
    fc.assert(
      fc.property(moment, moment, zone, zone, (one, other, here, there) => {
        expect(sameValue(written(one, here), written(one, there), 'instant')).toBe(true);
        expect(sameValue(written(one, here), written(other, there), 'instant')).toBe(one === other);
      }),
    );
  });

  test('are different when they are different texts in any case', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        expect(sameValue(one.toUpperCase(), one.toUpperCase().toLowerCase(), 'ignoreCase')).toBe(true);
        return (
          sameValue(one, other, 'text') === (one === other) &&
          sameValue(one, other, 'ignoreCase') === (one.toUpperCase() === other.toUpperCase())
        );
      }),
    );
  });

  test('are different when they are lists with different counts of an item', () => {
    const items = fc.array(fc.constantFrom<JsonValue>('a', 'b', 1, 2, true), { maxLength: 6 });
    const counts = (list: readonly JsonValue[]) => [...list].map((item) => JSON.stringify(item)).sort();
    fc.assert(
      fc.property(items, items, (one, other) => {
        expect(sameValue(one, [...one].reverse(), 'set')).toBe(true);
        return sameValue(one, other, 'set') === (counts(one).join() === counts(other).join());
      }),
    );
  });
});

test('a text that is not a number has no numeric value, and a date that is not a moment has no moment', () => {
  expect(['', ' ', '1,5', '1 000', 'NaN', '0x1', '1e400', '--1'].map(numberIn)).toEqual(
    Array<undefined>(8).fill(undefined),
  );
  expect(
    ['2026-06-01', '06/01/2026 20:00:00', '2026-13-01T00:00:00Z', '2026-06-01T20:00:00+25:00'].map(momentIn),
  ).toEqual(Array<undefined>(4).fill(undefined));
});

/** The moment in seconds since the epoch, as it is written at an offset in minutes. */
function written(seconds: number, offset: number): string {
  const local = new Date((seconds + offset * 60) * 1_000).toISOString().slice(0, 19);
  const minutes = String(Math.abs(offset) % 60).padStart(2, '0');
  const hours = String(Math.floor(Math.abs(offset) / 60)).padStart(2, '0');
  return `${local}${offset < 0 ? '-' : '+'}${hours}:${minutes}`;
}
