import { describe, expect, test } from '@jest/globals';
import { compileRollout } from '../../src/fleet/file/compile-rollout.ts';
import type { Window } from '../../src/fleet/rollout.ts';
import { nextClosing, nextOpening } from '../../src/rollout/window.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';
import { zoneClock } from '../../src/time/time-zone.ts';
import { fc } from '../support/properties.ts';

const at = (text: string) => epochMs(Date.parse(text));
function windowOf(from: string, to: string, otherwise = 'UTC'): Window {
  const { window } = compileRollout({ over: '1h', window: { from, to, timeZone: 'UTC', else: otherwise } });
  if (window === undefined) throw new Error('no window');
  return window;
}
const opening = (window: Window, zone: unknown, now: string) => {
  const opens = nextOpening(window, zone, at(now));
  return opens === undefined ? 'open' : new Date(opens).toISOString().slice(0, 16);
};

/* In Amsterdam the clock goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October 2026. */
describe('a maintenance window', () => {
  test.each<[string, string, string, unknown, string, string]>([
    ['before it', '01:00', '05:00', 'UTC', '2026-01-10T00:30Z', '2026-01-10T01:00'],
    ['in its first minute', '01:00', '05:00', 'UTC', '2026-01-10T01:00Z', 'open'],
    ['in its last minute', '01:00', '05:00', 'UTC', '2026-01-10T04:59Z', 'open'],
    ['at its end', '01:00', '05:00', 'UTC', '2026-01-10T05:00Z', '2026-01-11T01:00'],
    [
      'in the time zone of the device, in winter',
      '01:00',
      '05:00',
      'Europe/Amsterdam',
      '2026-01-10T05:00Z',
      '2026-01-11T00:00',
    ],
    [
      'in the time zone of the device, in summer',
      '01:00',
      '05:00',
      'Europe/Amsterdam',
      '2026-07-10T05:00Z',
      '2026-07-10T23:00',
    ],
    ['over midnight, before midnight', '22:00', '02:00', 'America/New_York', '2026-01-10T03:30Z', 'open'],
    ['over midnight, after midnight', '22:00', '02:00', 'America/New_York', '2026-01-10T06:59Z', 'open'],
    [
      'over midnight, in the day',
      '22:00',
      '02:00',
      'America/New_York',
      '2026-01-10T12:00Z',
      '2026-01-11T03:00',
    ],
    [
      'in a zone with an offset of 45 minutes',
      '01:00',
      '05:00',
      'Asia/Kathmandu',
      '2026-01-10T12:00Z',
      '2026-01-10T19:15',
    ],
    [
      'if the clock goes forward before it',
      '04:00',
      '05:00',
      'Europe/Amsterdam',
      '2026-03-29T00:30Z',
      '2026-03-29T02:00',
    ],
    [
      'if the clock goes forward in it',
      '01:30',
      '03:30',
      'Europe/Amsterdam',
      '2026-03-29T00:00Z',
      '2026-03-29T00:30',
    ],
    [
      'if its beginning is skipped',
      '02:30',
      '04:00',
      'Europe/Amsterdam',
      '2026-03-28T23:00Z',
      '2026-03-29T01:00',
    ],
    [
      'if all of it is skipped',
      '02:10',
      '02:50',
      'Europe/Amsterdam',
      '2026-03-28T23:00Z',
      '2026-03-30T00:10',
    ],
    [
      'if the clock goes back before it',
      '04:00',
      '05:00',
      'Europe/Amsterdam',
      '2026-10-24T23:00Z',
      '2026-10-25T03:00',
    ],
    [
      'if it comes twice, the first time',
      '02:10',
      '02:50',
      'Europe/Amsterdam',
      '2026-10-24T23:00Z',
      '2026-10-25T00:10',
    ],
    [
      'if it comes twice, the second time',
      '02:10',
      '02:50',
      'Europe/Amsterdam',
      '2026-10-25T00:55Z',
      '2026-10-25T01:10',
    ],
    [
      'if the clock changes by half an hour',
      '02:15',
      '03:00',
      'Australia/Lord_Howe',
      '2026-10-03T12:00Z',
      '2026-10-03T15:30',
    ],
  ])('opens right %s', (_, from, to, zone, now, expected) => {
    expect(opening(windowOf(from, to), zone, now)).toBe(expected);
  });

  test.each([['Mars/Olympus'], ['+01:00'], [''], [7], [null], [undefined], [{}]])(
    'uses the other time zone if the zone of the device is %j',
    (zone) => {
      const window = windowOf('01:00', '05:00', 'Europe/Amsterdam');

      expect(opening(window, zone, '2026-01-10T05:00Z')).toBe('2026-01-11T00:00');
    },
  );

  test('opens at the first open minute, for any window, zone and time', () => {
    const zones = ['UTC', 'Europe/Amsterdam', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Asia/Kathmandu'];
    const minute = fc.nat(24 * 60 - 1);
    fc.assert(
      fc.property(
        minute,
        minute,
        fc.constantFrom(...zones),
        fc.nat(2 * 365 * 24 * 60),
        (from, to, zone, minutes) => {
          fc.pre(from !== to);
          const window = { ...windowOf('00:00', '01:00'), from, to };
          const now = plus(at('2026-01-01T00:00Z'), minutes * 60_000);
          const opens = nextOpening(window, zone, now);
          const clock = zoneClock(zone);
          const isOpen = (time: typeof now) => {
            const local = clock?.(time) ?? 0;
            return from < to ? local >= from && local < to : local >= from || local < to;
          };

          let first = now;
          while (!isOpen(first)) first = plus(first, 60_000);
          expect(opens ?? now).toBe(first);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the end of an open maintenance window', () => {
  test.each<[string, string, string, unknown, string, string]>([
    ['of the same day', '01:00', '05:00', 'UTC', '2026-01-10T01:30Z', '2026-01-10T05:00'],
    ['of the next day, past midnight', '22:00', '02:00', 'UTC', '2026-01-10T23:00Z', '2026-01-11T02:00'],
    [
      'in the zone of the device',
      '01:00',
      '05:00',
      'Europe/Amsterdam',
      '2026-07-10T00:00Z',
      '2026-07-10T03:00',
    ],
    [
      'on a day that skips an hour',
      '01:00',
      '05:00',
      'Europe/Amsterdam',
      '2026-03-29T00:30Z',
      '2026-03-29T03:00',
    ],
  ])('is the closing time %s', (_, from, to, zone, now, closes) => {
    expect(new Date(nextClosing(windowOf(from, to), zone, at(now)) ?? 0).toISOString().slice(0, 16)).toBe(
      closes,
    );
  });
});
