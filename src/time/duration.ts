import { DAY_MS } from './day.ts';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: DAY_MS } as const;

/** A number and s, m, h or d. */
export const DURATION_PATTERN = /^(\d+(?:\.\d+)?)([smhd])$/;
/** Ten years. A time that far ahead still fits into every key and `Date`. */
export const LONGEST_MS = 3_650 * UNIT_MS.d;

/**
 * Milliseconds of a duration such as `30s`, `5m`, `1.5h`, `7d`. Undefined for any other text, and above 3650d.
 */
export function parseDuration(text: string): number | undefined {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return undefined;
  const ms = Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
  return ms <= LONGEST_MS ? ms : undefined;
}
