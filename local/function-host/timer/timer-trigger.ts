import { aborted } from '../../aborted.ts';
import type { LocalLog } from '../../log.ts';
import type { HostedFunction } from '../hosted-function.ts';
import type { Invoker } from '../invocation.ts';
import { invokeWithRetries, retryPolicy } from '../retry.ts';
import { type AppEnvironment, expandSettings } from '../settings.ts';
import { MAX_TIMER_MS } from '../time-span.ts';
import type { Trigger } from '../trigger.ts';
import { parseSchedule } from './schedule.ts';
import { initialStatus, type ScheduleStatus, statusAfter, timerData } from './schedule-status.ts';

export const isTimerTrigger = (fn: HostedFunction): boolean =>
  fn.trigger.type.toLowerCase() === 'timertrigger';

/**
 * Runs a function on its schedule (webjobs-sdk-extensions `TimerListener.cs`). Two runs never overlap. If a run
 * takes longer than the interval, the next run follows at once, and the missed runs are skipped.
 *
 * @throws SettingProblem if the schedule or the retry policy is not valid.
 */
export function createTimerTrigger(
  fn: HostedFunction,
  environment: AppEnvironment,
  invoker: Invoker,
  log: LocalLog,
): Trigger {
  const schedule = parseSchedule(expandSettings(String(fn.trigger.schedule ?? ''), environment));
  const policy = retryPolicy(fn.metadata.retryOptions);
  const monitored = fn.trigger.useMonitor !== false && !schedule.subMinute;
  const stopping = new AbortController();
  let status: ScheduleStatus | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const data = () =>
    timerData(schedule, monitored ? (status ?? initialStatus(schedule, new Date())) : undefined);

  function arm(): void {
    if (stopping.signal.aborted || status === undefined) return;
    const waitMs = status.next.getTime() - Date.now();
    // setTimeout cannot wait longer than 24 days. After that time, `arm` sets the timer again.
    if (waitMs > MAX_TIMER_MS) timer = setTimeout(arm, MAX_TIMER_MS);
    else timer = setTimeout(() => run(true), Math.max(waitMs, 0));
  }

  function run(onSchedule: boolean): void {
    running = runOnce(onSchedule);
  }

  async function runOnce(onSchedule: boolean): Promise<void> {
    const began = new Date();
    await invokeWithRetries(invoker, fn, policy, { data }, stopping.signal, log);
    if (status !== undefined) status = statusAfter(status, schedule, began, onSchedule);
    arm();
  }

  return {
    start() {
      status = initialStatus(schedule, new Date());
      if (fn.trigger.runOnStartup === true) run(false);
      else arm();
    },
    manualInvocation: () => ({ data }),
    async stop(giveUp) {
      stopping.abort();
      clearTimeout(timer);
      await Promise.race([running, aborted(giveUp)]);
    },
  };
}
