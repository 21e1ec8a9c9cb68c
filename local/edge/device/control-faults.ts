import * as z from 'zod';
import { EDGE_FAULTS, type EdgeFaults, edgeFaultsOf, NO_EDGE_FAULTS } from '../faults.ts';

const FAULTS = z.array(z.looseObject({ hub: z.string(), seed: z.number(), edge: EDGE_FAULTS.optional() }));
const TIMEOUT_MS = 2_000;

/**
 * Asks the control API of the local stack for the faults of a device. If it does not answer, the last faults stay.
 *
 * @param controlUrl such as `http://127.0.0.1:7070`
 */
export function faultsOfControlApi(
  controlUrl: string,
  { hub, deviceId }: { readonly hub: string; readonly deviceId: string },
): () => Promise<EdgeFaults> {
  let last = NO_EDGE_FAULTS;
  return async () => {
    try {
      const response = await fetch(`${controlUrl}/faults`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const found = FAULTS.parse(await response.json()).find(
        (each) => each.hub.toLowerCase() === hub.toLowerCase(),
      );
      last = edgeFaultsOf(found?.edge, found?.seed ?? 0, deviceId);
    } catch {
      // The next question follows in a few seconds.
    }
    return last;
  };
}
