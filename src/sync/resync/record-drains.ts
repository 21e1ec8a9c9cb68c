import { conditionsOf, effectiveHub } from '../../allocation/conditions.ts';
import { drainCause } from '../../allocation/moves/moves.ts';
import { withDrains } from '../../control/drains.ts';
import type { ConditionsStore } from '../../store/state/conditions-store.ts';
import type { ResyncContext } from './resync-context.ts';

/**
 * Notes in the control row which hubs drain, and since when, if the fleet file asks devices to move. So every instance plans
 * the move requests by the same row, and checks it before each write.
 */
export async function recordDrains(
  { fleet, control, now }: Pick<ResyncContext, 'fleet' | 'control' | 'now'>,
  conditions: Pick<ConditionsStore, 'read'>,
): Promise<void> {
  const row = await control.read();
  const isAsking = fleet.twins.moveRequest !== undefined;
  if (!isAsking && Object.keys(row.drains).length === 0) return;
  // Read after the causes were recorded, because the webhook goes by the recorded times.
  const known = await conditions.read(now());
  const present = new Map(
    fleet.hubs.flatMap((hub) => {
      const since = known.causes.get(drainCause(hub.host));
      const { state } = effectiveHub(hub, conditionsOf(hub.host, known), now());
      return isAsking && state === 'draining' && since !== undefined ? [[hub.host, since] as const] : [];
    }),
  );
  const hosts = fleet.hubs.map(({ host }) => host);
  if (withDrains(row, present, hosts, now()) === row) return;
  await control.update((latest) => withDrains(latest, present, hosts, now()));
}
