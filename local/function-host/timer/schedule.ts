import { Cron } from 'croner';
import { SettingProblem } from '../settings.ts';
import { parseTimeSpan } from '../time-span.ts';

/** When a timer fires. */
export interface Schedule {
  /** The first time after `after`. */
  next(after: Date): Date;
  /** What the trigger's JSON says; true for expressions, false for intervals. */
  readonly adjustForDst: boolean;
  /** It fires more often than once a minute, for which the host keeps no status. */
  readonly subMinute: boolean;
}

const MINUTE_MS = 60_000;

/**
 * One field of an NCRONTAB expression: numbers, names of months and days, `*`, lists, ranges and steps;
 * nothing of other cron dialects.
 */
const FIELD = /^(\*|\d+|[A-Z]{3})(-(\d+|[A-Z]{3}))?(\/\d+)?(,(\*|\d+|[A-Z]{3})(-(\d+|[A-Z]{3}))?(\/\d+)?)*$/i;

/**
 * Reads an NCRONTAB expression (six fields, seconds first; five mean second 0) or an interval `hh:mm:ss`.
 * Times are UTC, as in Azure. NCRONTAB fires when day *and* weekday match, unlike most crons.
 *
 * @throws SettingProblem when it is neither.
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
        timezone: 'UTC',
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
      // Falls through: croner refuses what NCRONTAB refuses.
    }
  }
  throw new SettingProblem(
    `its schedule "${expression}" is neither an NCRONTAB expression (six fields, seconds first) nor an interval hh:mm:ss`,
  );
}
