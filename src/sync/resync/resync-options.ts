import type { Fleet } from '../../fleet/fleet.ts';
import type { HubBudget } from '../../hub/budget.ts';
import type { HubPort } from '../../hub/port.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { JsonValue } from '../../json/json.ts';
import type { SyncCount } from '../../metrics/sync-counters.ts';
import type { ConditionsStore } from '../../store/state/conditions-store.ts';
import type { ControlStore } from '../../store/state/control.ts';
import type { Lease } from '../../store/state/lease.ts';
import type { ProgressStore } from '../../store/state/progress-store.ts';
import { type PartitionKey, partitionsOf } from '../../store/tables/keys.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Gate } from '../reconcile/write-gate.ts';

export interface ResyncOptions {
  readonly fleet: Fleet;
  /** The hubs that this deployment reconciles. */
  readonly hosts: readonly HostName[];
  readonly hubs: HubPort;
  readonly twins: Pick<
    TwinStore,
    'load' | 'save' | 'page' | 'sweep' | 'due' | 'dropDue' | 'count' | 'counts'
  >;
  readonly conditions: Pick<ConditionsStore, 'read' | 'recordCount' | 'recordFailure' | 'recordCauses'>;
  readonly control: Pick<ControlStore, 'read' | 'update'>;
  readonly progress: Pick<ProgressStore, 'read' | 'write'>;
  readonly lease: Pick<Lease, 'take' | 'release'>;
  readonly reconciler: Pick<Reconciler, 'reconcile' | 'judge'>;
  readonly budget: HubBudget;
  /** Whether the hub's budget has said no: what is due there stays due. */
  readonly isRefused: (host: HostName) => boolean;
  readonly gate: { current(): Promise<Gate> };
  /** From then on hubs are left alone, ms since the epoch. */
  readonly until: number;
  readonly now: () => number;
  /** The hubs' clock, by which work is due; default `now`. */
  readonly hubNow?: () => number;
  readonly count: (host: HostName, what: SyncCount) => void;
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
}

/** False when the time is over, or another instance has the lease. */
export type MayGoOn = () => boolean;

/** The partitions of all hubs that this deployment reconciles. */
export function partitionsFor({ hosts }: Pick<ResyncOptions, 'hosts'>): readonly PartitionKey[] {
  return hosts.flatMap((host) => partitionsOf(host));
}
