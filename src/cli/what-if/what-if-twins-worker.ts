import { parentPort, workerData } from 'node:worker_threads';
import { openStores } from '../../store/stores.ts';
import { openTables } from '../../store/tables/tables.ts';
import { openTwinTrial } from '../../what-if/twin-job.ts';
import { readerHere } from './twin-reader.ts';
import { failureOf, type TwinAnswer, type TwinRequest, type TwinThreadData } from './twin-thread.ts';

/** A thread of `berth what-if --twins`: receives buckets, reads and plans their twins, and returns what it counted. */
const { job, account } = workerData as TwinThreadData;
const reader = readerHere(openStores(openTables(account)).twins, openTwinTrial(job), job.first);
const answer = (message: TwinAnswer): void => parentPort?.postMessage(message);

parentPort?.on('message', async (bucket: TwinRequest) => {
  try {
    const counts = await reader.tryBucket(bucket, (more) => answer({ kind: 'planned', more }));
    answer({ kind: 'counted', counts });
  } catch (error) {
    answer({ kind: 'failed', failure: failureOf(error) });
  }
});
