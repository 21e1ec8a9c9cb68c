import type { EpochMs } from './epoch-ms.ts';

/** A day in milliseconds. */
export const DAY_MS = 24 * 60 * 60_000;

/** Milliseconds until 00:00 UTC, when the quotas of IoT Hub are reset (iot-hub-devguide-quotas-throttling). */
export function untilTomorrow(now: EpochMs): number {
  return DAY_MS - (now % DAY_MS);
}

/** The day in UTC, such as `2026-11-23`. */
export function dayOf(now: EpochMs): string {
  return new Date(now).toISOString().slice(0, 10);
}
