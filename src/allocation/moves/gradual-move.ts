import { hash } from '../../json/hash.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';

/** How far a change that reaches devices one after the other has come, and where one of them stands. */
export interface GradualMove {
  /** What moves devices, e.g. `drain:contoso-weu.azure-devices.net`. */
  readonly cause: string;
  /** The device's place in line, from 0 to 1: the same on every instance. */
  readonly position: number;
  /** Which part of all devices it has reached, from 0 to 1. */
  readonly progress: number;
}

/**
 * Where a device stands in a gradual move, without any state but the time when its cause was first seen. A cause
 * without a time reaches nobody; without a length it reaches all at once.
 *
 * @param overMs how long the gradual move takes to reach every device
 */
export function gradualMoveOf(
  cause: string,
  registrationId: string,
  sinceMs: EpochMs | undefined,
  overMs: number,
  nowMs: EpochMs,
): GradualMove {
  const position = hash(registrationId.toLowerCase(), cause) / 2 ** 32;
  return { cause, position, progress: progressOf(sinceMs, overMs, nowMs) };
}

export function isReached({ position, progress }: GradualMove): boolean {
  return position < progress;
}

/** Which part of all devices a gradual move has reached, from 0 to 1. */
export function progressOf(sinceMs: EpochMs | undefined, overMs: number, nowMs: EpochMs): number {
  if (sinceMs === undefined || nowMs < sinceMs) return 0;
  return overMs <= 0 ? 1 : Math.min(1, (nowMs - sinceMs) / overMs);
}
