import type { InvocationContext } from '@azure/functions';
import type { Instance } from '../instance/instance.ts';
import { Reconciler } from '../sync/reconciler.ts';

/**
 * The reconciler of one invocation, with the control row as it is now. @param until when it stops asking
 * hubs, ms since the epoch.
 */
export async function reconcilerFor(
  instance: Instance,
  context: InvocationContext,
  until: number,
): Promise<Reconciler> {
  return new Reconciler({
    fleet: instance.fleet.current(),
    hubs: instance.hubs,
    store: instance.stores.twins,
    gate: await instance.gate.current(),
    now: instance.now,
    until,
    warn: (message, facts) => context.warn(JSON.stringify({ event: 'hubTrouble', message, ...facts })),
  });
}
