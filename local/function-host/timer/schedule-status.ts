import type { RpcTypedData } from '../rpc.ts';
import type { Schedule } from './schedule.ts';

/**
 * What a timer remembers of its runs. Kept in memory only: a host that starts again knows nothing of runs
 * that it missed.
 */
export interface ScheduleStatus {
  readonly last: Date | undefined;
  readonly next: Date;
}

/** The status before the first run. */
export const initialStatus = (schedule: Schedule, now: Date): ScheduleStatus => ({
  last: undefined,
  next: schedule.next(now),
});

/**
 * The status after a run that began at `began`. A run that began a little before its time counts as in time,
 * so that it is not followed by a second one (webjobs-sdk-extensions `TimerListener.InvokeJobFunction`).
 *
 * @param onSchedule False for a run at startup.
 */
export function statusAfter(
  status: ScheduleStatus,
  schedule: Schedule,
  began: Date,
  onSchedule: boolean,
): ScheduleStatus {
  const last = onSchedule && status.next > began ? status.next : began;
  return { last, next: schedule.next(last) };
}

/** The trigger's JSON as .NET writes it. `status` is undefined for a timer without monitor. */
export function timerData(schedule: Schedule, status: ScheduleStatus | undefined): RpcTypedData {
  const last = dotNetTime(status?.last);
  return {
    json: JSON.stringify({
      Schedule: { AdjustForDST: schedule.adjustForDst },
      ...(status === undefined
        ? {}
        : { ScheduleStatus: { Last: last, LastUpdated: last, Next: dotNetTime(status.next) } }),
      IsPastDue: false,
    }),
  };
}

/** Local time of a machine on UTC; never = the earliest time of .NET. */
const dotNetTime = (time: Date | undefined): string =>
  time === undefined ? '0001-01-01T00:00:00+00:00' : time.toISOString().replace(/\.?0*Z$/, '+00:00');
