import type { TwinReader } from './twin-reader.ts';
import type { TwinThreadData } from './twin-thread.ts';
import type { TrialWorker, WorkerData } from './worker-pool.ts';

/** The threads that share the work of `berth what-if`. */
export interface Threads {
  /** How many the machine can run at the same time. */
  readonly number: number;
  /** Starts a thread for devices. */
  readonly start: (data: WorkerData) => TrialWorker;
  /** Starts a thread for stored twins. */
  readonly startTwins: (data: TwinThreadData) => TwinReader;
}
