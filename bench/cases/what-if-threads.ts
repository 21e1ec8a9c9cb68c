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
 * Whether two threads that plan stored snapshots slow each other down: the CPU time of a twin when all threads work, next to that when
 * one works alone. The rate is that of all threads in the fastest round by wall time, so it is too low on a busy machine.
 */
export async function whatIfThreads({ file, rounds, twins }: ThreadsRun): Promise<Figure> {
  const threads = Array.from(
    { length: Math.min(MOST_THREADS, availableParallelism()) },
    () => new Worker(file),
  );
  const timeOf = async (
    workers: readonly Worker[],
  ): Promise<{ readonly wallMs: number; readonly cpuMs: number }> => {
    const answers = workers.map((worker) => once(worker, 'message'));
    const from = performance.now();
    const before = process.cpuUsage();
    for (const worker of workers) worker.postMessage(twins);
    await Promise.all(answers);
    const { user, system } = process.cpuUsage(before);
    return { wallMs: performance.now() - from, cpuMs: (user + system) / 1_000 };
  };
  try {
    await timeOf(threads);
    const ratios: number[] = [];
    let fastest = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round += 1) {
      const alone = await timeOf(threads.slice(0, 1));
      const together = await timeOf(threads);
      ratios.push(together.cpuMs / threads.length / alone.cpuMs);
      fastest = Math.min(fastest, together.wallMs);
    }
    const what = `CPU of a stored snapshot in ${threads.length} threads / in one thread`;
    const perSecond = (threads.length * twins * 1_000) / fastest;
    return figureOf({ name: 'what-if-twins-threads', what, showsRate: true }, ratios, perSecond);
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
