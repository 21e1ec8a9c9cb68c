import { Cron } from 'croner';
import { SettingProblem } from '../settings.ts';
import { parseTimeSpan } from '../time-span.ts';

/** The schedule of a timer. */
export interface Schedule {
  /** The first scheduled time after `after`. */
  next(after: Date): Date;
  /** The value in the JSON of the trigger: true for expressions, false for intervals. */
  readonly adjustForDst: boolean;
  /** Whether the timer fires more often than once a minute. The host stores no status for such a timer. */
  readonly subMinute: boolean;
}

const MINUTE_MS = 60_000;

/**
 * One field of an NCRONTAB expression: numbers, names of months and days, `*`, lists, ranges and steps. Other
 * cron syntax is not allowed.
 */
const FIELD = /^(\*|\d+|[A-Z]{3})(-(\d+|[A-Z]{3}))?(\/\d+)?(,(\*|\d+|[A-Z]{3})(-(\d+|[A-Z]{3}))?(\/\d+)?)*$/i;

/**
 * Reads an NCRONTAB expression or an interval `hh:mm:ss`. An expression has six fields, seconds first. With five
 * fields, the second is 0. Times are UTC, as in Azure. Unlike most crons, NCRONTAB fires only if day *and* weekday
 * match.
 *
 * @throws SettingProblem if the text is neither.
 */
export function parseSchedule(expression: string): Schedule {
  const intervalMs = parseTimeSpan(expression);
  if (intervalMs !== undefined && intervalMs > 0) {
    return {
      next: (after) => new Date(after.getTime() + intervalMs),
      adjustForDst: false,
      subMinute: intervalMs < MINUTE_MS,
    };
  }
  const fields = expression.trim().split(/\s+/);
  if ((fields.length === 5 || fields.length === 6) && fields.every((field) => FIELD.test(field))) {
    try {
      const cron = new Cron(fields.join(' '), {
        paused: true,
        // UTC. With `timezone`, croner would make a formatter of dates, which takes longer than all else at the start of the host.
        utcOffset: 0,
        domAndDow: true,
        sloppyRanges: true,
      });
      const first = cron.nextRun(new Date(0));
      if (first !== null) {
        const second = cron.nextRun(first);
        const everyMinute = fields.slice(-5).every((field) => field === '*');
        return {
          next: (after) => cron.nextRun(after) ?? new Date(8.64e15),
          adjustForDst: true,
          subMinute: everyMinute && second !== null && second.getTime() - first.getTime() < MINUTE_MS,
        };
      }
    } catch {
      // croner and NCRONTAB refuse the same expressions. The error follows below.
    }
  }
  throw new SettingProblem(
    `its schedule "${expression}" must be an NCRONTAB expression (six fields, seconds first) or an interval hh:mm:ss`,
  );
}
