import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Figure, figureOf } from '../measure.ts';

/** As many threads as `berth what-if --twins` uses at most. */
const MOST_THREADS = 2;

export interface ThreadsRun {
  /** The bundle of `what-if-thread.ts`. */
  readonly file: string;
  readonly rounds: number;
  /** Twins of each thread in one round. */
  readonly twins: number;
}

/**
 * What a second thread gains: the time in which all threads plan the same number of stored snapshots each, next to the time in which one
 * plans them alone. 1: they do not slow each other down. It is wall time, so the machine must be idle.
 */
export async function whatIfThreads({ file, rounds, twins }: ThreadsRun): Promise<Figure> {
  const threads = Array.from(
    { length: Math.min(MOST_THREADS, availableParallelism()) },
    () => new Worker(file),
  );
  const timeOf = async (workers: readonly Worker[]): Promise<number> => {
    const answers = workers.map((worker) => once(worker, 'message'));
    const from = performance.now();
    for (const worker of workers) worker.postMessage(twins);
    await Promise.all(answers);
    return performance.now() - from;
  };
  try {
    await timeOf(threads);
    const ratios: number[] = [];
    let fastest = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round += 1) {
      const alone = await timeOf(threads.slice(0, 1));
      const together = await timeOf(threads);
      ratios.push(together / alone);
      fastest = Math.min(fastest, together);
    }
    const what = `what-if of stored snapshots in ${threads.length} threads / the same for each in one`;
    const perSecond = (threads.length * twins * 1_000) / fastest;
    return figureOf({ name: 'what-if-twins-threads', what, showsRate: true }, ratios, perSecond);
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
