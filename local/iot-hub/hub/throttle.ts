/** The tiers of IoT Hub that have twins. The basic tiers do not, and no fleet file may name them. */
export type LocalTier = 'F1' | 'S1' | 'S2' | 'S3';

/** What the hub throttles, devices and service together. */
export type ThrottledOperation =
  | 'twinReads'
  | 'twinUpdates'
  | 'queries'
  | 'identityOperations'
  | 'connections'
  | 'sends';

const MINUTE = 60;

/** Operations a second that a hub takes: "IoT Hub quotas and throttling" (2023-02). */
export function throttleRate(operation: ThrottledOperation, tier: LocalTier, units: number): number {
  const basic = tier === 'F1' || tier === 'S1';
  const large = tier === 'S3';
  switch (operation) {
    case 'twinReads': // S1: whatever the units
      return basic ? 100 : large ? 500 * units : Math.max(100, 10 * units);
    case 'twinUpdates':
      return basic ? 50 : large ? 250 * units : Math.max(50, 5 * units);
    case 'queries':
      return ((large ? 1000 : 20) * units) / MINUTE;
    case 'identityOperations':
      return ((large ? 5000 : 100) * units) / MINUTE;
    case 'connections':
    case 'sends':
      return basic ? Math.max(100, 12 * units) : (large ? 6000 : 120) * units;
  }
}

/** How a hub lets bursts pass. Durations in milliseconds. */
export interface Shaping {
  /**
   * So much of the rate may be used at once: "for the first minute or two, the messages are processed
   * immediately" (same page).
   */
  readonly burstMs: number;
  /**
   * Operations wait in line up to this long; then they are refused with 429. How long Azure's line is, is not
   * published.
   */
  readonly backlogMs: number;
}

export const DEFAULT_SHAPING: Shaping = { burstMs: 60_000, backlogMs: 30_000 };

/** The line before one kind of operation. */
export interface Shaper {
  /**
   * Takes a place in the line at `now`; answers the time to wait in milliseconds, or that the line is full.
   */
  admit(now: number, cost: number): { readonly delayMs: number } | 'refused';
}

/**
 * A bucket that leaks `perSecond`: what does not fit waits until it would, what would wait too long is
 * refused and leaves no trace.
 */
export function createShaper(perSecond: number, { burstMs, backlogMs }: Shaping): Shaper {
  const perMs = perSecond / 1000;
  const capacity = Math.max(1, perMs * burstMs);
  let level = 0;
  let last = Number.NEGATIVE_INFINITY;
  return {
    admit(now, cost) {
      const drained = Math.max(0, level - Math.max(0, now - last) * perMs);
      const delayMs = Math.max(0, (drained + cost - capacity) / perMs);
      if (delayMs > backlogMs) return 'refused';
      level = drained + cost;
      last = Math.max(last, now);
      return { delayMs };
    },
  };
}
