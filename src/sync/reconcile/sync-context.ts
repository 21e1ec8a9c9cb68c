import type { SettingValues } from '../../edge/fingerprint.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { BudgetedHubPort } from '../../hub/budgeted-hubs.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { JsonValue } from '../../json/json.ts';
import type { EvidenceSink } from '../../liveness/evidence-counters.ts';
import type { SyncCount } from '../../metrics/sync-counters.ts';
import type { ReceiptStore } from '../../store/receipts/receipt-store.ts';
import type { KeptOutDevices } from '../../store/state/kept-out-devices.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import type { Gate } from './write-gate.ts';

/** Times that are measured for each twin. */
export type MeasuredTime = 'berth.correction.time' | 'berth.acknowledgement.time';

/**
 * What all parts of twin sync share in one invocation: the fleet, the hubs, the stored twins, counters and log.
 * `src/instance/sync-context.ts` makes it. What only one part needs is an argument of that part.
 */
export interface SyncContext {
  readonly fleet: Fleet;
  /** The hubs that this deployment reconciles. */
  readonly hosts: readonly HostName[];
  /** Every call has a permit (`budgetHubs`), and every answer is redacted (`redactHubs`). */
  readonly hubs: BudgetedHubPort;
  readonly twins: Pick<
    TwinStore,
    | 'load'
    | 'loadAll'
    | 'save'
    | 'modulesOf'
    | 'page'
    | 'sweep'
    | 'dueItems'
    | 'firstItems'
    | 'hubsWithDueWork'
    | 'dropItem'
  >;
  /** The receipts, which name the parents of devices. Default: Berth enters no parents. */
  readonly receipts?: Pick<ReceiptStore, 'list'>;
  /** Whether nothing may be stored of a device (`berth forget --keep-out`). Default: no device is kept out. */
  readonly isKeptOut?: KeptOutDevices;
  /** The values of the settings that manifests of IoT Edge name. Default: none is set. */
  readonly settings?: SettingValues;
  /** What the control row allows now. */
  readonly gate: { current(): Promise<Gate> };
  /** The redacted paths, for events and for older stored data. */
  readonly redaction: Redaction;
  readonly now: () => EpochMs;
  /** The hubs' clock. All waits use it, because their times are compared with times of the hubs. */
  readonly hubNow: () => EpochMs;
  /** How a change of a record waits before it is tried again. Default: a timer. */
  readonly wait?: ((ms: number) => Promise<unknown>) | undefined;
  /** @param number default 1. */
  readonly count: (host: HostName, what: SyncCount, number?: number) => void;
  /** Takes a measured time of one twin. Default: it is not measured. */
  readonly measure?: ((what: MeasuredTime, host: HostName, ms: number) => void) | undefined;
  /** Takes what shows whether the twin change events of the hubs arrive. */
  readonly evidence: EvidenceSink;
  /** Logs a problem for operators: a failing hub, a defect. */
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
}
