import { parentPort } from 'node:worker_threads';
import { epochMs } from '../src/time/epoch-ms.ts';
import { storedTwins } from './stored-twins.ts';

/** A thread of the bench: plans as many stored snapshots as it is asked for, and answers with their number. */
const { tryNext } = storedTwins(epochMs(Date.UTC(2026, 10, 25)));

parentPort?.on('message', (twins: number) => {
  for (let done = 0; done < twins; done += 1) tryNext();
  parentPort?.postMessage(twins);
});
