import { parentPort, workerData } from 'node:worker_threads';
import { openTrial } from '../../what-if/job.ts';
import { type DeviceBatch, tryDevices } from '../../what-if/try-devices.ts';
import type { WorkerData } from './worker-pool.ts';

/** A thread of `berth what-if`: receives batches of devices and returns tallies. */
const { job, now } = workerData as WorkerData;
const trial = openTrial(job, now);

parentPort?.on('message', (part: DeviceBatch) => {
  parentPort?.postMessage(tryDevices(part, trial));
});
