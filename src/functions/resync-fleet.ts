import { app, type InvocationContext } from '@azure/functions';
import type { HubBudget } from '../hub/budget.ts';
import { HUB_DEADLINE_MS } from '../hub/port.ts';
import { type Instance, LETTERS_KEPT_MS } from '../instance/instance.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { Reconciler } from '../sync/reconcile/reconciler.ts';
import { RUN_MS, resync } from '../sync/resync/resync.ts';
import { reconcilerOptions } from './twin-reconciler.ts';

/** Every minute: the hubs' counts and health, due work, counts of twins, the walk for those that were missed, old dead letters. */
export function registerResyncFleet(instance: Instance): void {
  app.timer('resyncFleet', { schedule: '0 * * * * *', handler: resyncFleet(instance) });
}

export function resyncFleet(
  instance: Instance,
): (timer: unknown, context: InvocationContext) => Promise<void> {
  return async (_, context) => {
    const fleet = instance.fleet.current();
    const { stores, now } = instance;
    const refused = new Set<HostName>();
    const budget = instance.resyncBudget();
    const options = await reconcilerOptions(instance, context, {
      fleet,
      budget,
      until: now() + RUN_MS - HUB_DEADLINE_MS,
    });
    const summary = await resync({
      ...options,
      hosts: instance.hosts(fleet),
      twins: stores.twins,
      conditions: stores.conditions,
      control: stores.control,
      progress: stores.progress,
      lease: instance.lease('resync'),
      reconciler: new Reconciler({ ...options, budget: noting(refused, budget) }),
      isRefused: (host) => refused.has(host),
      count: (host, what) => instance.counters.add(host, what),
    });
    await instance.forgetOld();
    // A page a run, sixty thousand an hour: more than the cap lets in.
    const purged = summary.ran ? await stores.deadLetters.forget(now() - LETTERS_KEPT_MS) : 0;
    const { due, judged, walked } = summary;
    if (due + judged + walked + purged > 0)
      context.log(JSON.stringify({ event: 'fleetResynced', ...summary, purged }));
  };
}

/** The budget, with the hubs noted to which it has said no. */
function noting(refused: Set<HostName>, budget: HubBudget): HubBudget {
  return {
    async turn(hub, operation, until) {
      const turn = await budget.turn(hub, operation, until);
      // Who asks about identities does so for one twin; the corrections of the others need not wait for that.
      if (!turn.isNow && operation !== 'identity') refused.add(hub.host);
      return turn;
    },
  };
}
