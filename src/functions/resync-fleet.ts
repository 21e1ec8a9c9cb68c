import { app, type InvocationContext } from '@azure/functions';
import type { Instance } from '../instance/instance.ts';
import { RUN_MS, resync } from '../sync/resync.ts';
import { reconcilerFor } from './twin-reconciler.ts';

/** Every minute: the hubs' counts and health, due work, counts of twins. */
export function registerResyncFleet(instance: Instance): void {
  app.timer('resyncFleet', { schedule: '0 * * * * *', handler: resyncFleet(instance) });
}

export function resyncFleet(
  instance: Instance,
): (timer: unknown, context: InvocationContext) => Promise<void> {
  return async (_, context) => {
    const fleet = instance.fleet.current();
    const { stores } = instance;
    const gate = await instance.gate.current();
    const reconciler = await reconcilerFor(instance, context, instance.now() + RUN_MS);
    const summary = await resync({
      fleet,
      hosts: instance.hosts(fleet),
      hubs: instance.hubs,
      twins: stores.twins,
      conditions: stores.conditions,
      lease: instance.lease('resync'),
      reconcile: (id, events) => reconciler.reconcile(id, events),
      isOutdated: gate.isOutdated,
      now: instance.now,
      position: instance.position('resync-count'),
      warn: (message, facts) => context.warn(JSON.stringify({ event: 'hubTrouble', message, ...facts })),
    });
    if (summary.due > 0) context.log(JSON.stringify({ event: 'dueWorkDone', ...summary }));
  };
}
