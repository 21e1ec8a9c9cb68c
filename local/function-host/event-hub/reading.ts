import type { PartitionContext, ReceivedEventData } from '@azure/event-hubs';
import type { LocalLog } from '../../log.ts';
import type { EventHubTriggerOptions } from '../host-file.ts';
import { aborted, wait } from '../retry.ts';
import { type Consumer, openConsumer } from './consumer.ts';
import type { EventHubSource } from './source.ts';
import { createTrouble } from './trouble.ts';

/** Waits between attempts to reach Event Hubs and storage, milliseconds. */
const FIRST_ATTEMPT_WAIT_MS = 250;
const LONGEST_ATTEMPT_WAIT_MS = 2_000;

/**
 * A session that has not reached Event Hubs and storage for so long is given up. The client would come back
 * by itself, but it looks at a dead connection once a minute only.
 */
const LOST_AFTER_MS = 5_000;
const WATCH_INTERVAL_MS = 1_000;

/** The client may hang while it says goodbye to a server that is gone. */
const CLOSE_TIMEOUT_MS = 2_000;

/** What to read, for whom. */
export interface ReadingOptions {
  readonly functionName: string;
  readonly source: EventHubSource;
  /** Connection string of the account with the checkpoints. */
  readonly storage: string;
  readonly hostFile: EventHubTriggerOptions;
  readonly log: LocalLog;
  /**
   * Takes one batch of a partition; the next of this partition comes when it has resolved. When `session` is
   * aborted, the partition is no longer ours: the batch comes again. May not reject.
   */
  process(
    events: readonly ReceivedEventData[],
    context: PartitionContext,
    session: AbortSignal,
  ): Promise<void>;
}

/**
 * Reads all partitions until `stopping` is aborted, through every outage of Event Hubs or storage. A batch in
 * process is waited for before the partitions are given back, so that no partition is ever read twice at the
 * same time.
 *
 * @throws SettingProblem when a connection string is unreadable.
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
      trouble.begins('', `has lost ${hub} or the storage of its checkpoints`, 'nothing answers');
      lost.abort();
    }, WATCH_INTERVAL_MS);
    const working = subscribe(consumer, session);
    await aborted(session);
    clearInterval(watch);
    await Promise.all(working);
    await close(consumer);
  }

  /** The set holds what is being processed at any time. */
  function subscribe({ client }: Consumer, session: AbortSignal): ReadonlySet<Promise<void>> {
    const working = new Set<Promise<void>>();
    client.subscribe(
      {
        async processEvents(events, context) {
          trouble.ends(context.partitionId, `reads partition ${context.partitionId}`);
          if (events.length === 0 || session.aborted) return;
          const work = options.process(events, context, session);
          working.add(work);
          await work;
          working.delete(work);
        },
        async processError(error, { partitionId }) {
          // Without a partition, it is the session that fails; the watch sees to that.
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
        return trouble.ends('', `reaches ${hub}`);
      } catch (error) {
        if (!stopping.aborted) trouble.begins('', what, error);
        await wait(waitMs, stopping);
        waitMs = Math.min(waitMs * 2, LONGEST_ATTEMPT_WAIT_MS);
      }
    }
  }

  /**
   * Gives the partitions back, so that the next session need not wait until the ownership expires; if it can.
   */
  async function close({ client }: Consumer): Promise<void> {
    await Promise.race([client.close().catch(() => {}), aborted(AbortSignal.timeout(CLOSE_TIMEOUT_MS))]);
  }
}

/** Where a partition without checkpoint begins. */
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
