import { Worker } from 'node:worker_threads';
import { BerthError, type ErrorCode, type ErrorDetail } from '../../errors.ts';
import type { Bucket } from '../../store/tables/keys.ts';
import type { StateAccount } from '../../store/tables/tables.ts';
import type { TwinJob } from '../../what-if/twin-job.ts';
import type { TwinCounts } from '../../what-if/twin-tally.ts';
import type { TwinReader } from './twin-reader.ts';

/** The input of a thread: the job, and where the state tables are. It stays in the memory of this process. */
export interface TwinThreadData {
  readonly job: TwinJob;
  readonly account: StateAccount;
}

/** What a thread is asked: to read the twins of one bucket. */
export type TwinRequest = Bucket;

/** What a thread answers: any number of `planned`, then one of the others. */
export type TwinAnswer =
  | { readonly kind: 'planned'; readonly more: number }
  | { readonly kind: 'counted'; readonly counts: TwinCounts }
  | { readonly kind: 'failed'; readonly failure: ThreadFailure };

/** An error in a form that can be sent. Without a code, it is a bug in Berth. */
export interface ThreadFailure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
  readonly stack: string | undefined;
}

/** The error of a thread, to send it. */
export function failureOf(error: unknown): ThreadFailure {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return error instanceof BerthError
    ? { code: error.code, message, details: error.details, stack }
    : { code: undefined, message, details: [], stack };
}

/** The error that was sent. */
export function errorOf({ code, message, details, stack }: ThreadFailure): Error {
  const error = code === undefined ? new Error(message) : new BerthError(code, message, { details });
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Starts a thread that runs a bundle of `what-if-twins-worker.ts`. */
export function startTwinThread(file: string, data: TwinThreadData): TwinReader {
  const thread = new Worker(file, { workerData: data });
  let failed: Error | undefined;
  let fail: (error: Error) => void = () => {};
  const end = (error: Error): void => {
    failed ??= error;
    fail(failed);
  };
  thread.on('error', end);
  thread.on('exit', () => end(new Error('A thread that reads stored twins has ended too early.')));
  return {
    tryBucket: (bucket, onTwins) =>
      new Promise((resolve, reject) => {
        if (failed !== undefined) {
          reject(failed);
          return;
        }
        fail = reject;
        const onAnswer = (answer: TwinAnswer): void => {
          if (answer.kind === 'planned') {
            onTwins(answer.more);
            return;
          }
          thread.off('message', onAnswer);
          if (answer.kind === 'counted') resolve(answer.counts);
          else reject(errorOf(answer.failure));
        };
        thread.on('message', onAnswer);
        thread.postMessage(bucket satisfies TwinRequest);
      }),
    async close() {
      await thread.terminate();
    },
  };
}
