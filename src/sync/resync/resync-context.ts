import type { ContentToRead } from '../../control/rollouts.ts';
import type { ControlStore } from '../../store/state/control.ts';
import type { ProgressStore } from '../../store/state/progress-store.ts';
import type { TwinCountStore } from '../../store/twins/twin-count-store.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';

/** What the tasks of `resyncFleet` share. */
export interface ResyncContext extends SyncContext {
  readonly twinCounts: Pick<TwinCountStore, 'count' | 'read'>;
  readonly reconciler: Pick<Reconciler, 'reconcile' | 'resync'>;
  readonly control: Pick<ControlStore, 'read' | 'update'>;
  readonly progress: Pick<ProgressStore, 'read' | 'write'>;
  /** The earlier contents that rollouts need and that cannot be read. Default: none. */
  readonly unreadable?: () => readonly ContentToRead[];
}

/** Returns false when the time of the run is over, or another instance has the lease. */
export type MayGoOn = () => boolean;
