import { describe, expect, test } from '@jest/globals';
import { EPOCH, earlierOf, epochMs, epochMsOf, laterOf, plus } from '../src/time/epoch-ms.ts';
import { epochMsSchema } from '../src/time/epoch-ms-schema.ts';

const NOON = epochMs(Date.UTC(2026, 10, 23, 12));

describe('a point in time', () => {
  test('is the same as the Date that it came from', () => {
    expect(epochMsOf(new Date('2026-11-23T12:00:00Z'))).toBe(NOON);
  });

  test('moves forward and back by a duration', () => {
    expect(plus(NOON, 60_000)).toBe(Date.UTC(2026, 10, 23, 12, 1));
    expect(plus(NOON, -60_000)).toBe(Date.UTC(2026, 10, 23, 11, 59));
  });

  test('is compared with another one', () => {
    const later = plus(NOON, 1);

    expect([earlierOf(NOON, later), earlierOf(later, NOON)]).toEqual([NOON, NOON]);
    expect([laterOf(NOON, later), laterOf(later, NOON)]).toEqual([later, later]);
  });
});

describe('a stored point in time', () => {
  test.each([EPOCH, NOON, 8.64e15, -8.64e15, 0.5])('is read: %s', (stored) => {
    expect(epochMsSchema.safeParse(stored).data).toBe(stored);
  });

  test.each([
    ['a text', '2026-11-23T12:00:00Z'],
    ['not a number', Number.NaN],
    ['without an end', Number.POSITIVE_INFINITY],
    ['later than a Date can hold', 8.64e15 + 1],
    ['earlier than a Date can hold', -8.64e15 - 1],
  ])('is damaged when it is %s', (_, stored) => {
    expect(epochMsSchema.safeParse(stored).success).toBe(false);
  });
});
