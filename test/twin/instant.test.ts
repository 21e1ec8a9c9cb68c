import { describe, expect, test } from '@jest/globals';
import { isInstant, parseInstant } from '../../src/time/instant.ts';
import { fc } from '../support/properties.ts';

describe('parseInstant', () => {
  test.each([
    ['2020-10-21T14:13:39.3649100+00:00', '2020-10-21T14:13:39.3649100Z'],
    ['2020-10-21T14:13:39.36491Z', '2020-10-21T14:13:39.3649100Z'],
    ['2020-10-21T14:13:39Z', '2020-10-21T14:13:39.0000000Z'],
    ['2020-10-21T14:13:39.123456789Z', '2020-10-21T14:13:39.1234567Z'],
    ['2020-10-21T00:13:39.3649100+02:00', '2020-10-20T22:13:39.3649100Z'],
    ['2024-02-29T23:59:59.9999999Z', '2024-02-29T23:59:59.9999999Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.0000000Z'],
  ])('%s is parsed as %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  test.each([
    '2020-13-01T00:00:00.0000000Z',
    '2020-10-32T00:00:00.0000000Z',
    '2020-10-21T25:00:00.0000000Z',
    '2020-10-21T14:60:00.0000000Z',
    '2020-10-21 14:13:39Z',
    '2020-10-21T14:13:39.3649100',
    '',
    7,
    undefined,
  ])('%s is invalid', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  test('gives the calendar’s moment for every form of the text', () => {
    const parts = fc.tuple(
      fc.integer({ min: 0, max: 9_999 }),
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: 0, max: 32 }),
      fc.integer({ min: 0, max: 25 }),
      fc.integer({ min: 58, max: 61 }),
      fc.integer({ min: 0, max: 9_999_999 }),
      fc.constantFrom('Z', '+00:00', '-00:00', '+01:30'),
    );
    const pad = (value: number, length: number) => String(value).padStart(length, '0');
    fc.assert(
      fc.property(parts, ([year, month, day, hour, minute, ticks, zone]) => {
        const seconds = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${pad(hour, 2)}:${minute}:07`;
        const moment = new Date(`${seconds}${zone}`);
        const expected = Number.isNaN(moment.getTime())
          ? undefined
          : `${moment.toISOString().slice(0, -5)}.${pad(ticks, 7)}Z`;
        expect(parseInstant(`${seconds}.${pad(ticks, 7)}${zone}`)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('isInstant', () => {
  test.each([
    ['2020-10-21T14:13:39.3649100Z', true],
    ['2024-02-29T23:59:59.9999999Z', true],
    ['2023-02-29T23:59:59.9999999Z', false],
    ['0001-01-01T00:00:00.0000000Z', true],
    ['2020-10-21T14:13:39.36491Z', false],
    ['2020-10-21T14:13:39.3649100+00:00', false],
    ['2020-10-21T14:13:39.3649100+0Z', false],
    ['2020-13-21T14:13:39.3649100Z', false],
    ['2020-10-21T14:13:39.3649100Z\n', false],
    ['', false],
    [7, false],
    [undefined, false],
  ])('accepts a text only in the form that parseInstant returns: %j is %s', (value, expected) => {
    expect(isInstant(value)).toBe(expected);
    expect(isInstant(value)).toBe(typeof value === 'string' && parseInstant(value) === value);
  });
});
