/** The tiers of IoT Hub with twins. The basic tiers have none, and a fleet file cannot use them. */
export type LocalTier = 'F1' | 'S1' | 'S2' | 'S3';

/** The operations that a hub throttles. Devices and services share each limit. */
export type ThrottledOperation =
  | 'twinReads'
  | 'twinUpdates'
  | 'queries'
  | 'identityOperations'
  | 'applies'
  | 'configurations'
  | 'jobs'
  | 'cloudMessages'
  | 'jobDeviceOperations'
  | 'connections'
  | 'uploads'
  | 'sends';

const MINUTE = 60;

/** Operations that a hub accepts in each second: "IoT Hub quotas and throttling" (2023-02). */
export function throttleRate(operation: ThrottledOperation, tier: LocalTier, units: number): number {
  const basic = tier === 'F1' || tier === 'S1';
  const large = tier === 'S3';
  switch (operation) {
    case 'twinReads': // S1: the same for any number of units
      return basic ? 100 : large ? 500 * units : Math.max(100, 10 * units);
    case 'twinUpdates':
      return basic ? 50 : large ? 250 * units : Math.max(50, 5 * units);
    case 'queries':
      return ((large ? 1000 : 20) * units) / MINUTE;
    case 'identityOperations':
    case 'uploads': // initiations of file uploads
    case 'jobs':
    case 'cloudMessages':
      return ((large ? 5000 : 100) * units) / MINUTE;
    case 'applies': // not in the table; the limit of configurations
    case 'configurations': // the same in all tiers
      return (20 * units) / MINUTE;
    case 'jobDeviceOperations':
      return basic ? 10 : large ? 50 * units : Math.max(10, units);
    case 'connections':
    case 'sends':
      return basic ? Math.max(100, 12 * units) : (large ? 6000 : 120) * units;
  }
}

/** How a hub handles bursts. Durations in milliseconds. */
export interface Shaping {
  /**
   * The burst, as a duration of the rate: "for the first minute or two, the messages are processed immediately" (same
   * page).
   */
  readonly burstMs: number;
  /**
   * Longest wait of an operation. If it would wait longer, it is refused with 429. Azure does not publish this time.
   */
  readonly backlogMs: number;
}

export const DEFAULT_SHAPING: Shaping = { burstMs: 60_000, backlogMs: 30_000 };

/** The throttle of one kind of operation. */
export interface Shaper {
  /**
   * Permits an operation at `now`. Returns its wait in milliseconds, or `refused` if the wait would be too long.
   */
  admit(now: number, cost: number): { readonly delayMs: number } | 'refused';
}

/**
 * A leaky bucket with the rate `perSecond`. An operation that does not fit waits until it fits. A refused operation does
 * not count.
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
