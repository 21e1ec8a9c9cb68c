import type { AllocationOptions } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type EpochMs, laterOf, plus } from '../../time/epoch-ms.ts';
import type { DrainOfDevice } from '../../twin/plan/move-request.ts';
import { gradualMoveOf, reachedAt } from './gradual-move.ts';
import { drainCause } from './moves.ts';

/** A drain as the control row holds it (`src/control/drains.ts`). */
export interface StoredDrain {
  /** When it began. Undefined: it has ended. */
  readonly since?: EpochMs | undefined;
  /** When the row learned that it began or ended. */
  readonly changedAt: EpochMs;
}

/**
 * An instance may use a control row that is 30 s old, in a batch that takes 20 s. In this time after a drain has begun or
 * ended, no instance sets or removes the move request of a device: another instance would undo it.
 */
const SETTLED_MS = 60_000;

/**
 * What the drain of its hub means for one device. It is asked at the time at which `decide` would move it, because a device
 * that registers earlier stays.
 *
 * @param drain undefined: the hub has not drained
 */
export function drainOfDevice(
  drain: StoredDrain | undefined,
  host: HostName,
  deviceId: string,
  { movesOverMs }: Pick<AllocationOptions, 'movesOverMs'>,
): DrainOfDevice {
  if (drain === undefined) return { kind: 'none' };
  const settledAt = plus(drain.changedAt, SETTLED_MS);
  const { since } = drain;
  if (since === undefined) return { kind: 'ended', until: settledAt };
  const move = gradualMoveOf(drainCause(host), deviceId, since, movesOverMs, since);
  return { kind: 'draining', askAt: laterOf(settledAt, reachedAt(move, since, movesOverMs)) };
}
