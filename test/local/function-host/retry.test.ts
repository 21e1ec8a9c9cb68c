import { describe, expect, test } from '@jest/globals';
import { retryDelayMs, retryPolicy } from '../../../local/function-host/retry.ts';

describe('a retry policy', () => {
  test.each([
    [undefined, undefined],
    [
      { retryStrategy: 'fixedDelay', maxRetryCount: 3, delayInterval: { seconds: 2 } },
      { strategy: 'fixedDelay', maxRetryCount: 3, delayMs: 2_000 },
    ],
    [
      {
        retryStrategy: 'exponentialBackoff',
        maxRetryCount: -1,
        minimumInterval: { seconds: 1 },
        maximumInterval: { seconds: 60 },
      },
      { strategy: 'exponentialBackoff', maxRetryCount: -1, minimumMs: 1_000, maximumMs: 60_000 },
    ],
  ])('the retry policy %j is read as %j', (options, policy) => {
    expect(retryPolicy(options)).toEqual(policy);
  });

  test.each([
    { retryStrategy: 'fixedDelay', maxRetryCount: 3 },
    { retryStrategy: 'exponentialBackoff', maxRetryCount: 3, minimumInterval: { seconds: 1 } },
    { retryStrategy: 'exponentialBackoff', minimumInterval: { seconds: 9 }, maximumInterval: { seconds: 1 } },
    { retryStrategy: 'sometimes', maxRetryCount: 3, delayInterval: { seconds: 2 } },
  ])('the retry policy %j is refused', (options) => {
    expect(() => retryPolicy(options)).toThrow('its retry policy is incomplete or contradictory');
  });

  test('a retry policy with a fixed delay always waits the same time', () => {
    const policy = { strategy: 'fixedDelay', maxRetryCount: -1, delayMs: 2_000 } as const;

    expect([1, 2, 9].map((retry) => retryDelayMs(policy, retry, 0.7))).toEqual([2_000, 2_000, 2_000]);
  });

  test.each([
    [0, [1_000, 1_800, 2_600, 4_200, 7_400, 10_000, 10_000]],
    [0.5, [1_000, 2_000, 3_000, 5_000, 9_000, 10_000, 10_000]],
    [1, [1_000, 2_200, 3_400, 5_800, 10_000, 10_000, 10_000]],
  ])('exponential back-off with the jitter %d waits %j ms', (random, delays) => {
    const policy = {
      strategy: 'exponentialBackoff',
      maxRetryCount: -1,
      minimumMs: 1_000,
      maximumMs: 10_000,
    } as const;

    expect(delays.map((_, index) => Math.round(retryDelayMs(policy, index + 1, random)))).toEqual(delays);
  });

  test('exponential back-off does not overflow after any number of attempts', () => {
    const policy = { strategy: 'exponentialBackoff', maxRetryCount: -1, minimumMs: 1, maximumMs: 5 } as const;

    expect(retryDelayMs(policy, 1_000_000, 1)).toBe(5);
  });
});
