import { setTimeout } from 'node:timers/promises';
import type { LocalLog } from '../log.ts';
import type { HostedFunction } from './hosted-function.ts';
import type { Invocation, InvocationResult, Invoker } from './invocation.ts';
import type { RpcRetryContext, RpcRetryOptions } from './rpc.ts';
import { SettingProblem } from './settings.ts';

/**
 * A function's retry policy. `maxRetryCount` -1 means no limit. Delays are whole seconds in milliseconds, because
 * the library rounds them.
 */
export type RetryPolicy =
  | { readonly strategy: 'fixedDelay'; readonly maxRetryCount: number; readonly delayMs: number }
  | {
      readonly strategy: 'exponentialBackoff';
      readonly maxRetryCount: number;
      readonly minimumMs: number;
      readonly maximumMs: number;
    };

/**
 * Reads the retry policy of a function; undefined if it has none.
 *
 * @throws SettingProblem if the policy is incomplete. Azure refuses such a function.
 */
export function retryPolicy(options: RpcRetryOptions | undefined): RetryPolicy | undefined {
  if (options === undefined) return undefined;
  const maxRetryCount = options.maxRetryCount ?? -1;
  const delayMs = milliseconds(options.delayInterval);
  const minimumMs = milliseconds(options.minimumInterval);
  const maximumMs = milliseconds(options.maximumInterval);
  if (options.retryStrategy === 'fixedDelay' && delayMs !== undefined) {
    return { strategy: 'fixedDelay', maxRetryCount, delayMs };
  }
  if (options.retryStrategy === 'exponentialBackoff' && minimumMs !== undefined && maximumMs !== undefined) {
    if (minimumMs <= maximumMs)
      return { strategy: 'exponentialBackoff', maxRetryCount, minimumMs, maximumMs };
  }
  throw new SettingProblem(`its retry policy is incomplete or contradictory: ${JSON.stringify(options)}`);
}

const milliseconds = (duration: RpcRetryOptions['delayInterval']): number | undefined =>
  typeof duration?.seconds === 'number' ? duration.seconds * 1000 : undefined;

/**
 * Milliseconds before retry number `retry` (1 is the first). An exponential policy waits the minimum first, then the
 * minimum plus `minimum × 2^(retry − 2)` with 20 % jitter, up to the maximum (azure-webjobs-sdk
 * `RandomizedExponentialBackoffStrategy.cs`).
 *
 * @param random From 0 to 1.
 */
export function retryDelayMs(policy: RetryPolicy, retry: number, random: number): number {
  if (policy.strategy === 'fixedDelay') return policy.delayMs;
  if (retry <= 1) return policy.minimumMs;
  const increment = policy.minimumMs * 2 ** Math.min(retry - 2, 60) * (0.8 + 0.4 * random);
  return Math.min(policy.minimumMs + increment, policy.maximumMs);
}

/**
 * Runs an invocation, and repeats it while it fails and the policy allows a retry.
 *
 * @returns The last result, or `stopped` if `signal` ended the wait for a retry. The invocation then has no result,
 *   and its events must come again.
 */
export async function invokeWithRetries(
  invoker: Invoker,
  fn: HostedFunction,
  policy: RetryPolicy | undefined,
  invocation: Invocation,
  signal: AbortSignal,
  log: LocalLog,
): Promise<InvocationResult | 'stopped'> {
  let retryContext: RpcRetryContext | undefined;
  for (let retry = 1; ; retry += 1) {
    const result = await invoker.invoke(
      fn,
      retryContext === undefined ? invocation : { ...invocation, retryContext },
    );
    if (result.ok || policy === undefined) return result;
    if (policy.maxRetryCount >= 0 && retry > policy.maxRetryCount) return result;
    const delayMs = retryDelayMs(policy, retry, Math.random());
    const limit = policy.maxRetryCount < 0 ? '' : ` of ${policy.maxRetryCount}`;
    log.info(`${fn.name} runs again in ${Math.round(delayMs)} ms (retry ${retry}${limit}).`);
    await wait(delayMs, signal);
    if (signal.aborted) return 'stopped';
    const { error } = result;
    retryContext = {
      retryCount: retry,
      maxRetryCount: policy.maxRetryCount,
      exception: { message: error.message, source: fn.name, stackTrace: error.stack ?? '' },
    };
  }
}

/** Resolves after `ms`, or when `signal` is aborted. Never rejects. */
export const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => {});
