import type { Expression } from '../fleet/expressions/expression.ts';
import type { Rollout, Stage } from '../fleet/rollout.ts';
import { hash } from '../json/hash.ts';

/**
 * The fixed place of a device in a rollout, from 0 to 1. It is one hash. Every content has another order of the devices,
 * so that not always the same ones come first.
 *
 * @param content the hash of the policy's content
 */
export function rolloutPlace(deviceId: string, content: string): number {
  return hash(deviceId, content) / 2 ** 32;
}

/**
 * The index of the first stage that holds a device.
 *
 * @param place from `rolloutPlace`
 * @param matches whether the device matches a condition; an unknown condition does not match
 */
export function stageIndexOf(
  { stages }: Pick<Rollout, 'stages'>,
  place: number,
  matches: (where: Expression) => boolean,
): number {
  const index = stages.findIndex(({ where, share }) =>
    where === undefined ? place < share : matches(where),
  );
  // The last stage holds every device.
  return index === -1 ? stages.length - 1 : index;
}

/**
 * After which time of its own stage a device is reached, in milliseconds from the beginning of the stage. A stage with
 * `over` reaches its devices one after the other.
 */
export function reachedAfterMs({ where, share, shareBefore, overMs }: Stage, place: number): number {
  if (overMs === 0) return 0;
  const begin = where === undefined ? shareBefore : 0;
  const end = where === undefined ? share : 1;
  return Math.max(0, (place - begin) / (end - begin)) * overMs;
}
