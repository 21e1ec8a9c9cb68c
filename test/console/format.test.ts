import { describe, expect, test } from '@jest/globals';
import {
  agoText,
  clockText,
  countedText,
  countText,
  figureText,
  hubName,
  localTimesText,
  shareText,
  shortCountText,
  spanText,
  timeOf,
  valueText,
} from '../../console/words/format.ts';
import { reportedWords } from '../../console/words/reported.ts';
import { bandOf, targetOf, targetText } from '../../console/words/share.ts';
import { statusWords, twinTotals } from '../../console/words/statuses.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('numbers and times of the console', () => {
  test.each([
    [0, '0 %'],
    [0.0004, '< 0.1 %'],
    [0.004, '0.4 %'],
    [1 / 3, '33 %'],
    [0.955, '95.5 %'],
    [0.9996, '> 99.9 %'],
    [1, '100 %'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('the part %p is shown as %p', (part, text) => {
    expect(shareText(part)).toBe(text);
  });

  test.each([
    [400, '0 s'],
    [59 * SECOND, '59 s'],
    [100 * SECOND, '2 min'],
    [3 * HOUR, '3 h'],
    [47 * HOUR, '47 h'],
    [3 * DAY, '3 d'],
  ])('a duration of %p ms is shown as %p', (ms, text) => {
    expect(spanText(ms)).toBe(text);
  });

  test('a moment is shown as past, present or future', () => {
    expect(agoText(0, 5 * MINUTE)).toBe('5 min ago');
    expect(agoText(5 * MINUTE, 5 * MINUTE + 400)).toBe('now');
    expect(agoText(2 * HOUR, 0)).toBe('in 2 h');
  });

  test('a time shows its day only if it is not today', () => {
    const at = Date.parse('2026-11-27T14:03:10Z');

    expect(clockText(at, at + HOUR, 'UTC')).toBe('14:03:10');
    expect(clockText(at, at + DAY, 'UTC')).toBe('27 Nov 14:03:10');
  });

  test('the times of a sentence are shown in local time', () => {
    const now = Date.parse('2026-11-28T20:31:21Z');
    const next = 'asks the hub at 2026-11-28T20:37:14.988Z whether the device is alive';

    expect(localTimesText(next, now, 'UTC')).toBe('asks the hub at 20:37:14 whether the device is alive');
    expect(localTimesText('from 2026-11-27T20:37:14Z on', now, 'UTC')).toBe('from 27 Nov 20:37:14 on');
    expect(localTimesText('version 2026-11-28 stays', now, 'UTC')).toBe('version 2026-11-28 stays');
  });

  test('a time with seven decimals, as hubs write it, is read to the millisecond', () => {
    expect(timeOf('2026-11-28T20:31:21.2729999Z')).toBe(Date.parse('2026-11-28T20:31:21.272Z'));
    expect(timeOf('yesterday')).toBeUndefined();
    expect(timeOf(null)).toBeUndefined();
  });

  test('numbers have separators, and a noun for one and for many', () => {
    expect(countText(1_234_567)).toBe('1,234,567');
    expect(countedText(1, 'twin')).toBe('1 twin');
    expect(countedText(2, 'device identity', 'device identities')).toBe('2 device identities');
    expect(shortCountText(1_000_000)).toBe('1M');
    expect(figureText(0.255997474114, 4)).toBe('0.256');
    expect(figureText(undefined)).toBe('–');
  });

  test('a long value is cut, and an absent one has a sign of its own', () => {
    expect(valueText({ a: 'b'.repeat(100) }, 20)).toHaveLength(20);
    expect(valueText(undefined)).toBe('–');
    expect(valueText('5000')).toBe('"5000"');
    expect(hubName('contoso-weu.azure-devices.net')).toBe('contoso-weu');
  });
});

describe('what a device reported', () => {
  test('an acknowledgement is shown as its value and its answer', () => {
    expect(reportedWords({ value: 5000, ac: 400, av: 3, ad: 'too fast' })).toEqual({
      value: 5000,
      answer: 'answered 400 to version 3: too fast',
    });
    expect(reportedWords({ value: 5000, ac: 200 })).toEqual({ value: 5000, answer: 'answered 200' });
  });

  test.each([[5000], [{ value: 5 }], [[1, 2]], [null], ['text']])(
    'the value %j is shown as it is',
    (value) => {
      expect(reportedWords(value)).toEqual({ value, answer: undefined });
    },
  );
});

describe('shares and statuses', () => {
  test('the target of a hub is the expected share with its spread', () => {
    const target = targetOf({ wanted: 0.5, expected: 0.3, spread: 0.1, actual: 0.2 }, 40);

    expect(target).toEqual({ share: 0.3, spread: 0.1, follows: 'weights, latencies and rules' });
    expect(bandOf({ ...target, share: 0.05 })?.low).toBe(0);
    expect(bandOf({ ...target, share: 0.95 })?.high).toBe(1);
    expect(targetText(target)).toBe('30 ± 10 %');
    expect(targetText({ ...target, share: 0.031, spread: 0.02 })).toBe('3.1 ± 2.0 %');
  });

  test.each([
    [0.5, 100, { low: 0.45, high: 0.55 }, '50 ± 5 %'],
    [0.25, 3, { low: 0, high: 0.5 }, '25 ± 25 %'],
    [0.5, 0, undefined, '50 %'],
  ])(
    'where no share is expected, the target is the weight %d of %d devices with a binomial spread',
    (wanted, devices, band, text) => {
      const target = targetOf({ wanted, expected: null, spread: null, actual: 0 }, devices);

      expect(target).toMatchObject({ share: wanted, follows: 'weights alone' });
      expect(bandOf(target)).toEqual(band);
      expect(targetText(target)).toBe(text);
    },
  );

  test('twins that are not in sync are counted over all statuses, unknown ones of a newer Berth included', () => {
    expect(twinTotals({ inSync: 10, rejected: 1, newStatus: 2 })).toEqual({ all: 13, notInSync: 3 });
    expect(statusWords('newStatus').label).toBe('newStatus');
    expect(statusWords('rejected').action).toMatch(/answer of the device/);
  });
});
