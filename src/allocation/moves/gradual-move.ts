import { hash } from '../../json/hash.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';

/** The progress of a move that reaches devices one after the other, and the position of one device. */
export interface GradualMove {
  /** The cause of the move, such as `drain:contoso-weu.azure-devices.net`. */
  readonly cause: string;
  /** The position of the device in the order of moves, from 0 to 1. It is the same on every instance. */
  readonly position: number;
  /** The share of all devices that the move has reached, from 0 to 1. */
  readonly progress: number;
}

/**
 * Computes the position of a device in a gradual move. The only state is the time when its cause was first
 * seen. A cause without a time reaches no device; a move without a duration reaches all devices at once.
 *
 * @param deviceId the id of the device in its hub, because twin sync knows no registration id
 * @param overMs the duration in which the move reaches every device
 */
export function gradualMoveOf(
  cause: string,
  deviceId: string,
  sinceMs: EpochMs | undefined,
  overMs: number,
  nowMs: EpochMs,
): GradualMove {
  const position = hash(deviceId.toLowerCase(), cause) / 2 ** 32;
  return { cause, position, progress: progressOf(sinceMs, overMs, nowMs) };
}

export function isReached({ position, progress }: GradualMove): boolean {
  return position < progress;
}

/** When a gradual move reaches a device: the first whole millisecond in which `isReached` is true. */
export function reachedAt(
  { position }: Pick<GradualMove, 'position'>,
  sinceMs: EpochMs,
  overMs: number,
): EpochMs {
  return overMs <= 0 ? sinceMs : plus(sinceMs, Math.floor(position * overMs) + 1);
}

/** The share of all devices that a gradual move has reached, from 0 to 1. */
export function progressOf(sinceMs: EpochMs | undefined, overMs: number, nowMs: EpochMs): number {
  if (sinceMs === undefined || nowMs < sinceMs) return 0;
  return overMs <= 0 ? 1 : Math.min(1, (nowMs - sinceMs) / overMs);
}
