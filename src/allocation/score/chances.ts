import type { HostName } from '../../iot-hub/host-name.ts';
import { type Candidate, scoredHubsOf } from './candidates.ts';

/**
 * The chance of each hub to get a new device with these candidates, from 0 to 1. The score of a hub is an exponentially
 * distributed number divided by its weight. The smallest of such numbers belongs to a hub with a probability that is the
 * share of its weight. Overloaded hubs and hubs behind the best ones get no device, as in `decide`.
 *
 * @returns empty if no hub may receive the device; else the chances add up to 1
 */
export function chancesOf(candidates: readonly Candidate[]): ReadonlyMap<HostName, number> {
  const scored = scoredHubsOf(candidates).map(({ hub }) => hub);
  const free = scored.filter(({ isOverloaded }) => !isOverloaded);
  const receivers = free.length > 0 ? free : scored;
  const first = Math.min(...receivers.map(({ behind = 0 }) => behind));
  const best = receivers.filter(({ behind = 0 }) => behind === first);
  const weights = best.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(best.map(({ host, weight }) => [host, weight / weights]));
}
