import { DeadLetterStore } from './dead-letters/dead-letter-store.ts';
import { type EventCounts, unknownSourceCounts } from './dead-letters/event-counts.ts';
import { LetterHours } from './dead-letters/letter-hours.ts';
import { StateExporter } from './export/state-exporter.ts';
import { ReceiptStore } from './receipts/receipt-store.ts';
import { BudgetStore } from './state/budget-store.ts';
import { ConditionsStore } from './state/conditions-store.ts';
import { ControlStore } from './state/control.ts';
import { DisabledDeviceStore } from './state/disabled-device-store.ts';
import { KeptOutStore } from './state/kept-out-store.ts';
import { LivenessStore } from './state/liveness-store.ts';
import { ProgressStore } from './state/progress-store.ts';
import { RedactionKeyStore } from './state/redaction-key-store.ts';
import { RevisionStore } from './state/revisions.ts';
import { SeriesStore } from './state/series-store.ts';
import { SyncStatisticsStore } from './state/sync-statistics-store.ts';
import { UnknownHubStore } from './state/unknown-hub-store.ts';
import type { OnNewerFormat } from './tables/newer-format.ts';
import type { Tables } from './tables/tables.ts';
import { TwinCountStore } from './twins/twin-count-store.ts';
import { TwinEraser } from './twins/twin-eraser.ts';
import { TwinLists } from './twins/twin-lists.ts';
import { TwinStore } from './twins/twin-store.ts';

/** All stores of the state tables. */
export interface Stores {
  readonly twins: TwinStore;
  readonly twinCounts: TwinCountStore;
  readonly lists: TwinLists;
  readonly eraser: TwinEraser;
  readonly conditions: ConditionsStore;
  readonly control: ControlStore;
  readonly revisions: RevisionStore;
  readonly receipts: ReceiptStore;
  readonly deadLetters: DeadLetterStore;
  readonly letterHours: LetterHours;
  readonly unknownHubs: UnknownHubStore;
  readonly unknownSources: EventCounts<'hub' | 'source'>;
  readonly liveness: LivenessStore;
  readonly progress: ProgressStore;
  readonly budgets: BudgetStore;
  readonly statistics: SyncStatisticsStore;
  readonly series: SeriesStore;
  readonly redactionKey: RedactionKeyStore;
  readonly keptOut: KeptOutStore;
  readonly disabledDevices: DisabledDeviceStore;
  readonly exporter: StateExporter;
}

/**
 * Opens every store. The first call of a store makes the connection.
 *
 * @param onNewer called with each row of a newer package that a store reads.
 */
export function openStores(tables: Tables, onNewer?: OnNewerFormat): Stores {
  const redactionKey = new RedactionKeyStore(tables.state);
  const twinCounts = new TwinCountStore(tables.twins, tables.state, onNewer);
  return {
    twins: new TwinStore(tables.twins, onNewer),
    twinCounts,
    eraser: new TwinEraser(tables.twins, twinCounts),
    lists: new TwinLists(tables.twins),
    conditions: new ConditionsStore(tables.state, onNewer),
    control: new ControlStore(tables.state, onNewer),
    revisions: new RevisionStore(tables.state, onNewer),
    receipts: new ReceiptStore(tables.receipts, onNewer),
    deadLetters: new DeadLetterStore(tables.deadLetters),
    letterHours: new LetterHours(tables.state),
    unknownHubs: new UnknownHubStore(tables.state),
    unknownSources: unknownSourceCounts(tables.state),
    liveness: new LivenessStore(tables.state, onNewer),
    progress: new ProgressStore(tables.state, onNewer),
    budgets: new BudgetStore(tables.state),
    statistics: new SyncStatisticsStore(tables.state),
    series: new SeriesStore(tables.state, onNewer),
    redactionKey,
    keptOut: new KeptOutStore(tables.state, onNewer),
    disabledDevices: new DisabledDeviceStore(tables.state, onNewer),
    exporter: new StateExporter(tables.state, redactionKey),
  };
}
