import { setTimeout as delay } from 'node:timers/promises';
import { FLEET_STATUS, getJson, type LocalFleetStatus } from './apis.ts';

/** Where the functions listen, and their keys. */
export interface FunctionsAccess {
  readonly functionsUrl: string;
  readonly functionKey: string;
  readonly masterKey: string;
}

/**
 * Runs `resyncFleet`, which asks the hubs for their devices, processes work items and counts twins. Then waits for the
 * new counts, at most `withinMs`.
 *
 * @returns the status of the fleet, with the old counts if the new ones are late
 * @throws Error if the functions do not answer
 */
export async function runResync(
  { functionsUrl, functionKey, masterKey }: FunctionsAccess,
  withinMs: number,
): Promise<LocalFleetStatus> {
  const startedAt = Date.now();
  await fetch(`${functionsUrl}/admin/functions/resyncFleet`, {
    method: 'POST',
    headers: { 'x-functions-key': masterKey, 'content-type': 'application/json' },
    body: '{}',
    signal: AbortSignal.timeout(10_000),
  });
  for (;;) {
    const fleet = await getJson(`${functionsUrl}/api/fleet`, FLEET_STATUS, {
      'x-functions-key': functionKey,
    });
    const isFresh = fleet.hubs.every(({ twinsCountedAt }) => Date.parse(twinsCountedAt ?? '') >= startedAt);
    if (isFresh || Date.now() - startedAt > withinMs) return fleet;
    await delay(250);
  }
}
