import pLimit from 'p-limit';
import type { Fleet, Hub } from '../../fleet/fleet.ts';
import { type BudgetShare, dailyLimit } from '../../hub/budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { LIVENESS_STATES } from '../../liveness/liveness.ts';
import type { GaugeValue } from '../../metrics/metrics.ts';
import type { BudgetStore } from '../../store/state/budget-store.ts';
import type { LivenessStore } from '../../store/state/liveness-store.ts';
import { partitionsOf } from '../../store/tables/keys.ts';
import { ALL_DEVICES, type CountedTwins, type TwinCountStore } from '../../store/twins/twin-count-store.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import { dayOf } from '../../time/day.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { EDGE_DEVICE_STATUSES } from '../../twin/snapshot/edge-device-status.ts';
import { TWIN_STATUSES, WORK_PRIORITIES } from '../../twin/snapshot/snapshot.ts';

export interface GaugeSources {
  readonly fleet: Fleet;
  readonly hosts: readonly HostName[];
  readonly twins: Pick<TwinStore, 'hubsWithDueWork' | 'dueItems'>;
  readonly twinCounts: Pick<TwinCountStore, 'read'>;
  readonly budgets: Pick<BudgetStore, 'used'>;
  readonly liveness: Pick<LivenessStore, 'read'>;
  /** The part of the budgets that applies manifests that wait. */
  readonly share: Pick<BudgetShare, 'left'>;
}

const CONCURRENCY = 16;

/**
 * The state of sync as gauges: twins and IoT Edge devices by status, the oldest due work item, what is left of the budgets, and
 * whether events arrive. It reads sixteen rows for each hub and priority that has due work items.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function readGauges(
  { fleet, hosts, twins, twinCounts, budgets, liveness, share }: GaugeSources,
  now: EpochMs,
): Promise<readonly GaugeValue[]> {
  const [used, { hubs: assessed }, counts, hasWork] = await Promise.all([
    budgets.used(dayOf(now)),
    liveness.read(),
    twinCounts.read(hosts),
    twins.hubsWithDueWork(now),
  ]);
  const limited = pLimit(CONCURRENCY);
  const ofHub = async (host: HostName): Promise<readonly GaugeValue[]> => {
    const counted = counts.get(host);
    if (counted === undefined) return [];
    // The rows of a partition sort by priority before time. So the first row of each priority is its oldest.
    const first = await Promise.all(
      WORK_PRIORITIES.filter((priority) => hasWork(host, priority)).flatMap((priority) =>
        partitionsOf(host).map((partition) => limited(() => twins.dueItems(partition, priority, now, 1))),
      ),
    );
    const waits = first.flatMap(({ items }) => items.map(({ at }) => Math.max(0, now - at)));
    const hub = fleet.hubByHost.get(host);
    const limit = hub === undefined ? 0 : dailyLimit(hub, 1);
    const left = limit === 0 ? 0 : Math.max(0, 1 - (used.get(host) ?? 0) / limit);
    return [
      ...TWIN_STATUSES.map((status) => ({
        name: 'berth.twins' as const,
        value: counted.statuses[status],
        attributes: { hub: host, status },
      })),
      { name: 'berth.queue.age', value: Math.max(0, ...waits) / 1_000, attributes: { hub: host } },
      { name: 'berth.budget.left', value: left, attributes: { hub: host } },
      ...LIVENESS_STATES.map((state) => ({
        name: 'berth.liveness' as const,
        value: (assessed.get(host)?.state ?? 'quiet') === state ? 1 : 0,
        attributes: { hub: host, state },
      })),
      ...(fleet.edge === undefined || hub === undefined ? [] : edgeGauges(hub, counted, share)),
    ];
  };
  return (await Promise.all(hosts.map(ofHub))).flat();
}

function edgeGauges(
  hub: Hub,
  { edge = {} }: CountedTwins,
  share: GaugeSources['share'],
): readonly GaugeValue[] {
  return [
    ...EDGE_DEVICE_STATUSES.map((status) => ({
      name: 'berth.edge.devices' as const,
      value: edge[ALL_DEVICES]?.[status] ?? 0,
      attributes: { hub: hub.host, status },
    })),
    ...(['apply', 'identity'] as const).map((operation) => ({
      name: 'berth.edge.budget.left' as const,
      value: share.left(hub, operation),
      attributes: { hub: hub.host, operation },
    })),
  ];
}
