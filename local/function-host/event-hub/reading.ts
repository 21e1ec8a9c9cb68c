import type { PartitionContext, ReceivedEventData } from '@azure/event-hubs';
import { aborted } from '../../aborted.ts';
import type { LocalLog } from '../../log.ts';
import type { EventHubTriggerOptions } from '../host-file.ts';
import { wait } from '../retry.ts';
import { type Consumer, openConsumer } from './consumer.ts';
import type { EventHubSource } from './source.ts';
import { createTrouble } from './trouble.ts';

/** Waits between two attempts to reach Event Hubs and storage, in milliseconds. */
const FIRST_ATTEMPT_WAIT_MS = 250;
const LONGEST_ATTEMPT_WAIT_MS = 2_000;

/**
 * A session that has not reached Event Hubs and storage for this long is closed, and a new one starts. The client
 * itself would reconnect too, but it checks a dead connection only once a minute.
 */
const LOST_AFTER_MS = 6_000;
const WATCH_INTERVAL_MS = 1_000;

/** The client can hang while it closes a connection to a server that does not answer. */
const CLOSE_TIMEOUT_MS = 2_000;

/** The events to read, and the function that gets them. */
export interface ReadingOptions {
  readonly functionName: string;
  readonly source: EventHubSource;
  /** Connection string of the account with the checkpoints. */
  readonly storage: string;
  readonly hostFile: EventHubTriggerOptions;
  readonly log: LocalLog;
  /**
   * Processes one batch of a partition. The next batch of the partition follows when the promise resolves. If
   * `session` is aborted, this host has lost the partition, and the batch comes again. It must not reject.
   */
  process(
    events: readonly ReceivedEventData[],
    context: PartitionContext,
    session: AbortSignal,
  ): Promise<void>;
}

/**
 * Reads all partitions until `stopping` is aborted, and continues after each outage of Event Hubs or storage. It
 * waits for running batches before it releases the partitions, so that two readers never process a partition at the
 * same time.
 *
 * @throws SettingProblem if a connection string is not valid.
 */
export async function keepReading(options: ReadingOptions, stopping: AbortSignal): Promise<void> {
  const { functionName, source, storage, log } = options;
  const hub = `the event hub ${source.eventHubName}`;
  const trouble = createTrouble(functionName, log);

  while (!stopping.aborted) {
    let lastReached = Date.now();
    const consumer = await openConsumer(source, storage, () => {
      lastReached = Date.now();
    });
    await untilReachable(consumer);
    if (stopping.aborted) return close(consumer);

    const lost = new AbortController();
    const session = AbortSignal.any([stopping, lost.signal]);
    lastReached = Date.now();
    const watch = setInterval(() => {
      if (Date.now() - lastReached <= LOST_AFTER_MS) return;
      trouble.begins('', `cannot reach ${hub} or the storage of its checkpoints`, 'no answer');
      lost.abort();
    }, WATCH_INTERVAL_MS);
    const working = subscribe(consumer, session);
    await aborted(session);
    clearInterval(watch);
    await Promise.all(working);
    await close(consumer);
  }

  /** Subscribes to all partitions. The returned set contains the running batches at any time. */
  function subscribe({ client }: Consumer, session: AbortSignal): ReadonlySet<Promise<void>> {
    const working = new Set<Promise<void>>();
    client.subscribe(
      {
        async processEvents(events, context) {
          trouble.ends(context.partitionId, `can read partition ${context.partitionId}`);
          if (events.length === 0 || session.aborted) return;
          const work = options.process(events, context, session);
          working.add(work);
          await work;
          working.delete(work);
        },
        async processError(error, { partitionId }) {
          // An error without a partition concerns the session. The timer above handles it.
          if (!session.aborted && partitionId)
            trouble.begins(partitionId, `cannot read partition ${partitionId}`, error);
        },
      },
      {
        maxBatchSize: source.form.startsWith('one') ? 1 : options.hostFile.maxEventBatchSize,
        prefetchCount: options.hostFile.prefetchCount,
        skipParsingBodyAsJson: true,
        startPosition: startPosition(options.hostFile),
      },
    );
    return working;
  }

  async function untilReachable({ client, checkpoints }: Consumer): Promise<void> {
    let waitMs = FIRST_ATTEMPT_WAIT_MS;
    while (!stopping.aborted) {
      let what = 'cannot reach the storage of its checkpoints';
      try {
        await checkpoints.createIfNotExists();
        what = `cannot reach ${hub}`;
        await client.getEventHubProperties({ abortSignal: stopping });
        return trouble.ends('', `can reach ${hub}`);
      } catch (error) {
        if (!stopping.aborted) trouble.begins('', what, error);
        await wait(waitMs, stopping);
        waitMs = Math.min(waitMs * 2, LONGEST_ATTEMPT_WAIT_MS);
      }
    }
  }

  /** Tries to release the partitions, so that the next session does not wait until the ownership expires. */
  async function close({ client }: Consumer): Promise<void> {
    await Promise.race([client.close().catch(() => {}), aborted(AbortSignal.timeout(CLOSE_TIMEOUT_MS))]);
  }
}

/** The start position in a partition without a checkpoint. */
function startPosition({ initialOffsetOptions }: EventHubTriggerOptions) {
  switch (initialOffsetOptions.type) {
    case 'fromStart':
      return { offset: '-1' };
    case 'fromEnd':
      return { offset: '@latest' };
    case 'fromEnqueuedTime':
      return { enqueuedOn: new Date(initialOffsetOptions.enqueuedTimeUtc) };
  }
}
