import {
  type EventHubConsumerClient,
  type EventPosition,
  earliestEventPosition,
  type PartitionContext,
  type ReceivedEventData,
  type SubscribeOptions,
} from '@azure/event-hubs';

export interface ReceivedEvent extends ReceivedEventData {
  readonly partitionId: string;
}

export interface ReadOptions extends SubscribeOptions {
  readonly partitionId?: string;
  readonly startPosition?: EventPosition;
  readonly onEvents?: (events: ReceivedEventData[], context: PartitionContext) => Promise<void>;
}

const DEADLINE_MS = 60_000;

/**
 * Reads with the official client until `count` events have come; bodies stay Buffers. Fails with what there
 * is after a while.
 */
export function readEvents(
  consumer: EventHubConsumerClient,
  count: number,
  { partitionId, onEvents, ...options }: ReadOptions = {},
): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(deadline);
      subscription.close().then(settle, reject);
    };
    const deadline = setTimeout(
      () => end(() => reject(new Error(`${events.length} of ${count} events came in time`))),
      DEADLINE_MS,
    );
    const handlers = {
      async processEvents(received: ReceivedEventData[], context: PartitionContext) {
        for (const event of received) events.push({ ...event, partitionId: context.partitionId });
        await onEvents?.(received, context);
        if (events.length >= count) end(() => resolve(events));
      },
      async processError(error: Error) {
        end(() => reject(error));
      },
    };
    const all: SubscribeOptions = {
      startPosition: earliestEventPosition,
      skipParsingBodyAsJson: true,
      maxWaitTimeInSeconds: 1,
      ...options,
    };
    const subscription =
      partitionId === undefined
        ? consumer.subscribe(handlers, all)
        : consumer.subscribe(partitionId, handlers, all);
  });
}

/** Bodies as text. */
export function texts(events: readonly ReceivedEventData[]): string[] {
  return events.map(({ body }) => (Buffer.isBuffer(body) ? body.toString('utf8') : String(body)));
}

/** Looks again and again until `condition` holds. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`It did not happen in time that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
