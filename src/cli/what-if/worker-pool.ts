import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Job } from '../../what-if/job.ts';
import type { DeviceBatch, PartResult } from '../../what-if/try-devices.ts';

/** The input of a worker: the job, and the time of all decisions. */
export interface WorkerData {
  readonly job: Job;
  readonly now: EpochMs;
}

/** A thread that tries batches of devices, one at a time. */
export interface TrialWorker {
  tryPart(part: DeviceBatch): Promise<PartResult>;
  close(): Promise<void>;
}

/** Starts a thread that runs a bundle of `what-if-worker.ts`. */
export function startWorker(file: string, data: WorkerData): TrialWorker {
  const worker = new Worker(file, { workerData: data });
  return {
    async tryPart(part) {
      worker.postMessage(part);
      const [result] = (await once(worker, 'message')) as [PartResult];
      return result;
    },
    async close() {
      await worker.terminate();
    },
  };
}
