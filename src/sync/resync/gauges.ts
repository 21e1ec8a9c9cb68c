import pLimit from 'p-limit';
import type { Fleet } from '../../fleet/fleet.ts';
import { dailyLimit } from '../../hub/budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { GaugeValue } from '../../metrics/metrics.ts';
import type { BudgetStore } from '../../store/state/budget-store.ts';
import { partitionsOf } from '../../store/tables/keys.ts';
import type { TwinLists } from '../../store/twins/twin-lists.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import { dayOf } from '../../time/day.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';

export interface GaugeSources {
  readonly fleet: Fleet;
  readonly hosts: readonly HostName[];
  readonly twins: Pick<TwinStore, 'counts'>;
  readonly lists: Pick<TwinLists, 'workItems'>;
  readonly budgets: Pick<BudgetStore, 'used'>;
}

const CONCURRENCY = 16;

/**
 * The state of sync as gauges: twins by status, the oldest due work item, and what is left of the daily budget. It reads 32 rows
 * for each hub.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function readGauges(
  { fleet, hosts, twins, lists, budgets }: GaugeSources,
  now: EpochMs,
): Promise<readonly GaugeValue[]> {
  const used = await budgets.used(dayOf(now));
  const limited = pLimit(CONCURRENCY);
  const ofHub = async (host: HostName): Promise<readonly GaugeValue[]> => {
    const [counted, ...first] = await Promise.all([
      twins.counts(host),
      ...partitionsOf(host).map((partition) =>
        limited(() => lists.workItems({ partition, after: undefined, limit: 1 })),
      ),
    ]);
    const waits = first.flat().map(({ item }) => (item === undefined ? 0 : Math.max(0, now - item.at)));
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
    ];
  };
  return (await Promise.all(hosts.map(ofHub))).flat();
}
