/** The durations of a simulated Edge runtime, in milliseconds. */
export interface EdgePace {
  /** Time between two reconciliations of the agent. */
  readonly loopMs: number;
  /** Time that a pull takes. */
  readonly pullMs: number;
  /** Time after which the agent reports 500 while an update still runs. */
  readonly patienceMs: number;
  /** First wait after a failed command, and after a crash. It doubles each time. */
  readonly firstRetryMs: number;
  /** Longest wait before a crashed module is started again. Waits after failed commands have no limit. */
  readonly longestBackoffMs: number;
  /** A module that runs for this long counts as good: its restarts start again at 0. */
  readonly goodAfterMs: number;
  /** Time until a module with the fault `crashes` ends. */
  readonly crashAfterMs: number;
  /** Time that the agent needs to start again after an update of itself. */
  readonly restartMs: number;
}

/**
 * The durations of the real agent (Azure/iotedge: EA.Service/Program.cs, OrdererdRetryPlanRunner.cs, RestartPolicyManager),
 * except those of pulls, crashes and the restart, which depend on the device.
 */
export const REAL_PACE: EdgePace = {
  loopMs: 5_000,
  pullMs: 3_000,
  patienceMs: 70_000,
  firstRetryMs: 10_000,
  longestBackoffMs: 300_000,
  goodAfterMs: 600_000,
  crashAfterMs: 1_000,
  restartMs: 3_000,
};

/** The agent gives up after this many tries of a command, and of restarts of a module. */
export const MOST_COMMAND_TRIES = 20;

/** The wait before try number `failures + 1`. */
export function retryDelay({ firstRetryMs }: EdgePace, failures: number): number {
  return firstRetryMs * 2 ** Math.max(0, failures - 1);
}
