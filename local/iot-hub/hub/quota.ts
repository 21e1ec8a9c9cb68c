import type { LocalTier } from './throttle.ts';

/**
 * Messages for each day and unit, and the size of one message (Azure limits page; "Azure IoT Hub billing information").
 */
const QUOTA = {
  F1: { messages: 8_000, bytes: 512 },
  S1: { messages: 400_000, bytes: 4096 },
  S2: { messages: 6_000_000, bytes: 4096 },
  S3: { messages: 300_000_000, bytes: 4096 },
} as const;

const DAY_MS = 86_400_000;

/** The daily message quota of a hub. It resets at 00:00 UTC. */
export interface DailyQuota {
  isSpent(now: number): boolean;
  /** Counts an operation of this size, also if the quota is used up. */
  count(now: number, bytes: number): void;
  used(now: number): number;
}

export function createQuota(tier: LocalTier, units: number): DailyQuota {
  const limit = QUOTA[tier].messages * units;
  let day = 0;
  let used = 0;
  const usedOn = (now: number): number => {
    const today = Math.floor(now / DAY_MS);
    if (today !== day) {
      day = today;
      used = 0;
    }
    return used;
  };
  return {
    isSpent: (now) => usedOn(now) >= limit,
    count(now, bytes) {
      used = usedOn(now) + Math.max(1, Math.ceil(bytes / QUOTA[tier].bytes));
    },
    used: usedOn,
  };
}
