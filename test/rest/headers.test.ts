import { describe, expect, test } from '@jest/globals';
import { retryAfterMs, serviceTime } from '../../src/rest/headers.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';

const NOW = epochMs(Date.parse('2026-11-23T12:00:00Z'));

describe('the wait that a service asks for', () => {
  test.each<[string | string[] | undefined, number | undefined]>([
    ['7', 7_000],
    ['0.5', 500],
    ['-3', 0],
    ['Mon, 23 Nov 2026 12:01:30 GMT', 90_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    [['7', '8'], undefined],
    [undefined, undefined],
  ])('is read from Retry-After %j as %j ms', (header, ms) => {
    expect(retryAfterMs({ 'retry-after': header }, NOW)).toBe(ms);
  });
});

describe('the clock of a service', () => {
  test.each<[string | string[] | undefined, string | undefined]>([
    ['Mon, 23 Nov 2026 12:00:00 GMT', '2026-11-23T12:00:00.0000000Z'],
    ['yesterday', undefined],
    [undefined, undefined],
  ])('is read from the Date header %j as %j', (date, instant) => {
    expect(serviceTime({ date })).toBe(instant);
  });

  test('is unknown without headers', () => {
    expect(serviceTime(undefined)).toBeUndefined();
  });
});
