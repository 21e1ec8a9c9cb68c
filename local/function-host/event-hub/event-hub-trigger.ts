import type { PartitionContext, ReceivedEventData } from '@azure/event-hubs';
import { aborted } from '../../aborted.ts';
import type { LocalLog } from '../../log.ts';
import type { EventHubTriggerOptions } from '../host-file.ts';
import type { HostedFunction } from '../hosted-function.ts';
import type { Invocation, Invoker } from '../invocation.ts';
import { invokeWithRetries, retryPolicy } from '../retry.ts';
import { type AppEnvironment, connectionString, SettingProblem } from '../settings.ts';
import type { Trigger } from '../trigger.ts';
import { keepReading } from './reading.ts';
import { eventFromText, type ReceivedEvent, toReceivedEvent } from './received-event.ts';
import { eventHubSource } from './source.ts';
import { eventHubInvocation } from './trigger-data.ts';
import type { MetadataOptions } from './trigger-metadata.ts';
import { createTrouble, summary } from './trouble.ts';

/**
 * Runs a function for the events of an event hub, with the rules of azure-sdk-for-net
 * `EventHubListener.PartitionProcessor.cs`. The batches of a partition run one after the other. A checkpoint follows
 * each batch, also if the function failed and its retries are used up. If the host stops or loses the partition,
 * there is no checkpoint, and the events come again.
 *
 * @throws SettingProblem if the binding, the storage setting or the retry policy is not valid.
 */
export function createEventHubTrigger(
  fn: HostedFunction,
  environment: AppEnvironment,
  hostFile: EventHubTriggerOptions,
  metadataOptions: MetadataOptions,
  invoker: Invoker,
  log: LocalLog,
): Trigger {
  const source = eventHubSource(fn, environment);
  const storage = connectionString('AzureWebJobsStorage', environment);
  const policy = retryPolicy(fn.metadata.retryOptions);
  const stopping = new AbortController();
  const trouble = createTrouble(fn.name, log);
  /** Batches since the last checkpoint, by partition. */
  const unsaved = new Map<string, number>();
  let reading: Promise<void> = Promise.resolve();

  async function processBatch(
    events: readonly ReceivedEventData[],
    context: PartitionContext,
    session: AbortSignal,
  ): Promise<void> {
    const count = (unsaved.get(context.partitionId) ?? 0) + 1;
    const saves = count >= hostFile.batchCheckpointFrequency;
    const invocation = toInvocation(events.map(toReceivedEvent), context, saves);
    const result = await invokeWithRetries(invoker, fn, policy, invocation, session, log);
    if (result === 'stopped' || session.aborted) return;
    unsaved.set(context.partitionId, saves ? 0 : count);
    const last = events.at(-1);
    if (saves && last !== undefined) await saveCheckpoint(last, context);
  }

  /** If the write fails, it logs a warning, and the next checkpoint replaces this one, as in Azure. */
  async function saveCheckpoint(last: ReceivedEventData, context: PartitionContext): Promise<void> {
    const checkpoints = `the checkpoints of partition ${context.partitionId}`;
    try {
      await context.updateCheckpoint(last);
      trouble.ends(checkpoints, `writes ${checkpoints}`);
    } catch (error) {
      trouble.begins(checkpoints, `cannot write ${checkpoints}`, error);
    }
  }

  function toInvocation(
    events: readonly ReceivedEvent[],
    context: Pick<PartitionContext, 'partitionId' | 'fullyQualifiedNamespace'>,
    isCheckpointingAfterInvocation: boolean,
  ): Invocation {
    const partition = {
      fullyQualifiedNamespace: context.fullyQualifiedNamespace,
      eventHubName: source.eventHubName,
      consumerGroup: source.consumerGroup,
      partitionId: context.partitionId,
      isCheckpointingAfterInvocation,
    };
    return eventHubInvocation(events, source.form, partition, metadataOptions);
  }

  return {
    start() {
      const options = {
        functionName: fn.name,
        source,
        storage,
        hostFile,
        log,
        process: (events: readonly ReceivedEventData[], context: PartitionContext, session: AbortSignal) =>
          processBatch(events, context, session).catch((error: unknown) =>
            log.error(`${fn.name}, partition ${context.partitionId}: ${summary(error)}`),
          ),
      };
      reading = keepReading(options, stopping.signal).catch((error: unknown) =>
        log.error(
          `${fn.name} cannot read events: ${error instanceof SettingProblem ? error.message : summary(error)}.`,
        ),
      );
    },
    manualInvocation(input) {
      const event = eventFromText(input, new Date());
      return toInvocation([event], { partitionId: '0', fullyQualifiedNamespace: '' }, false);
    },
    async stop(giveUp) {
      stopping.abort();
      await Promise.race([reading, aborted(giveUp)]);
    },
  };
}
