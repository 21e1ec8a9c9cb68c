import { describe, expect, test } from '@jest/globals';
import { parseTimeSpan } from '../../../local/function-host/time-span.ts';
import { parseSchedule } from '../../../local/function-host/timer/schedule.ts';
import { initialStatus, statusAfter, timerData } from '../../../local/function-host/timer/schedule-status.ts';

const FRIDAY = new Date('2026-01-02T10:20:30.500Z');

/** The next times of a schedule, without the date where it is the same day. */
const next = (expression: string, count: number) => {
  const schedule = parseSchedule(expression);
  const times: string[] = [];
  for (let at = FRIDAY; times.length < count; ) {
    at = schedule.next(at);
    times.push(at.toISOString().replace('2026-01-02T', '').replace('.000Z', '').replace('.500Z', '+'));
  }
  return times;
};

describe('a timer schedule', () => {
  test.each([
    ['0 * * * * *', ['10:21:00', '10:22:00']],
    ['*/10 * * * * *', ['10:20:40', '10:20:50', '10:21:00']],
    ['0 5/20 * * * *', ['10:25:00', '10:45:00', '11:05:00']],
    ['15,45 0 12 * * *', ['12:00:15', '12:00:45']],
    ['0 0 9 * * MON-FRI', ['2026-01-05T09:00:00', '2026-01-06T09:00:00']],
    ['0 0 9 * JAN sun', ['2026-01-04T09:00:00', '2026-01-11T09:00:00']],
    ['0 0 9 13 * 5', ['2026-02-13T09:00:00', '2026-03-13T09:00:00']], // Friday *and* the 13th
    ['30 10 * * *', ['10:30:00', '2026-01-03T10:30:00']],
    ['00:00:05', ['10:20:35+', '10:20:40+']],
    ['1.00:00:00', ['2026-01-03T10:20:30+']],
  ])('the schedule %s fires at %j', (expression, times) => {
    expect(next(expression, times.length)).toEqual(times);
  });

  test.each([
    ['*/30 * * * * *', true],
    ['0 * * * * *', false],
    ['0,30 0 * * * *', false],
    ['00:00:59', true],
    ['00:01:00', false],
  ])('the schedule %s fires more often than once a minute: %s', (expression, subMinute) => {
    expect(parseSchedule(expression).subMinute).toBe(subMinute);
  });

  test.each([
    '',
    'often',
    '@daily',
    '* * * *',
    '* * * * * * *',
    '60 * * * * *',
    '0 0 0 L * *',
    '0 0 0 ? * *',
    '0 0 0 1W * *',
    '0 0 0 * * 5#2',
    '0 0 0 31 2 *',
    '0 0 0 * FOO *',
    '00:00:00',
    '24:00:00',
  ])('the schedule %j is refused', (expression) => {
    expect(() => parseSchedule(expression)).toThrow(`its schedule "${expression}" must be`);
  });
});

describe('the status of a timer', () => {
  const schedule = parseSchedule('0 */5 * * * *');
  const status = initialStatus(schedule, FRIDAY);
  const at = (time: string) => new Date(`2026-01-02T${time}Z`);

  test('the status has no last run before the first run', () => {
    expect(JSON.parse(timerData(schedule, status).json ?? '')).toEqual({
      Schedule: { AdjustForDST: true },
      ScheduleStatus: {
        Last: '0001-01-01T00:00:00+00:00',
        LastUpdated: '0001-01-01T00:00:00+00:00',
        Next: '2026-01-02T10:25:00+00:00',
      },
      IsPastDue: false,
    });
  });

  test.each([
    ['on time', '10:25:00.120', true, '10:25:00.120', '10:30:00'],
    ['a little early, which counts as on time', '10:24:59.999', true, '10:25:00', '10:30:00'],
    ['late', '10:31:00', true, '10:31:00', '10:35:00'],
    ['at startup', '10:20:31', false, '10:20:31', '10:25:00'],
  ])('the status names last and next run after a run %s', (_, began, onSchedule, last, nextTime) => {
    expect(statusAfter(status, schedule, at(began), onSchedule)).toEqual({
      last: at(last),
      next: at(nextTime),
    });
  });

  test('the status writes fractions without trailing zeros, as .NET does', () => {
    const { json } = timerData(schedule, { last: at('10:25:00.120'), next: at('10:30:00') });

    expect(json).toContain('"Last":"2026-01-02T10:25:00.12+00:00"');
    expect(json).toContain('"Next":"2026-01-02T10:30:00+00:00"');
  });

  test('the status is absent without monitor', () => {
    expect(JSON.parse(timerData(schedule, undefined).json ?? '')).toEqual({
      Schedule: { AdjustForDST: true },
      IsPastDue: false,
    });
  });
});

describe('a time span', () => {
  test.each([
    ['00:00:01', 1_000],
    ['01:02:03', 3_723_000],
    ['00:10', 600_000],
    ['1.12:00:00', 129_600_000],
    ['00:00:00.800', 800],
    ['00:60:00', undefined],
    ['24:00:00', undefined],
    ['10', undefined],
    ['-1', undefined],
    ['1h', undefined],
  ])('the time span %s is %s ms', (text, ms) => {
    expect(parseTimeSpan(text)).toBe(ms);
  });
});
