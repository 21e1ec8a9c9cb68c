import type { RpcTypedData } from '../rpc.ts';
import type { Schedule } from './schedule.ts';

/**
 * The last and the next run of a timer. It is in memory only, so a restarted host does not know about missed runs.
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
 * The status after a run that began at `began`. A run that began slightly early counts as the scheduled run, so that
 * no second run follows (webjobs-sdk-extensions `TimerListener.InvokeJobFunction`).
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

/** The JSON of the trigger, as .NET writes it. `status` is undefined for a timer without `useMonitor`. */
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

/** A time in the form of .NET, in UTC. Undefined becomes the earliest time of .NET. */
const dotNetTime = (time: Date | undefined): string =>
  time === undefined ? '0001-01-01T00:00:00+00:00' : time.toISOString().replace(/\.?0*Z$/, '+00:00');
