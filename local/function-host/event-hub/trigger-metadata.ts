import type { Long, RpcMetadata, RpcTypedData } from '../rpc.ts';
import type { ReceivedEvent } from './received-event.ts';

/** The partition of a batch. */
export interface PartitionContext {
  readonly fullyQualifiedNamespace: string;
  readonly eventHubName: string;
  readonly consumerGroup: string;
  readonly partitionId: string;
  /** Whether a checkpoint follows this invocation (`batchCheckpointFrequency`). */
  readonly isCheckpointingAfterInvocation: boolean;
}

export interface MetadataOptions {
  /** Whether the app has the capability `IncludeEmptyEntriesInMessagePayload`. */
  readonly includeEmptyEntries: boolean;
  /**
   * Whether sequence numbers are `{low, high, unsigned}`, as in workers of late 2026 (nodejs-worker issue 844).
   */
  readonly longSequenceNumbers: boolean;
}

/**
 * Metadata of a batch. The keys are those of the host. The library makes their first letters lower case. Source:
 * `EventHubTriggerBindingStrategy.cs`.
 */
export function manyMetadata(
  events: readonly ReceivedEvent[],
  partition: PartitionContext,
  options: MetadataOptions,
): RpcMetadata {
  const keys = events.map(({ partitionKey }) => partitionKey ?? '');
  return {
    PartitionContext: partitionContext(partition),
    // Events without a key are omitted, so this list and the events have different indexes.
    PartitionKeyArray: {
      collectionString: { string: keys.filter((key) => key !== '' || options.includeEmptyEntries) },
    },
    OffsetArray: { collectionString: { string: events.map(({ offset }) => offset) } },
    SequenceNumberArray: {
      collectionSint64: { sint64: events.map((event) => sequenceNumber(event, options)) },
    },
    EnqueuedTimeUtcArray: json(events.map(({ enqueuedTime }) => dotNetUtc(enqueuedTime))),
    PropertiesArray: json(events.map(({ properties }) => properties)),
    SystemPropertiesArray: json(events.map(systemProperties)),
  };
}

/**
 * Metadata of a single event.
 *
 * @param text The body, unless the function takes bytes. If it is a JSON object, its members replace metadata of the
 *   same name (azure-functions-host `Utility.ApplyBindingData`).
 */
export function oneMetadata(
  event: ReceivedEvent,
  text: string | undefined,
  partition: PartitionContext,
  options: MetadataOptions,
): RpcMetadata {
  const metadata: Record<string, RpcTypedData> = {
    PartitionContext: partitionContext(partition),
    ...(event.partitionKey === undefined ? {} : { PartitionKey: { string: event.partitionKey } }),
    Offset: { string: event.offset },
    SequenceNumber: { int: sequenceNumber(event, options) },
    EnqueuedTimeUtc: json(dotNetUtc(event.enqueuedTime)),
    Properties: json(event.properties),
    SystemProperties: json(systemProperties(event)),
  };
  for (const [name, value] of Object.entries(bodyMembers(text))) {
    if (value === null || Array.isArray(value)) continue;
    const key = Object.keys(metadata).find((known) => known.toLowerCase() === name.toLowerCase()) ?? name;
    metadata[key] = typeof value === 'object' ? json(value) : { string: dotNetText(value) };
  }
  return metadata;
}

function bodyMembers(text: string | undefined): object {
  if (!text?.trim().startsWith('{')) return {};
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const dotNetText = (value: unknown): string =>
  typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value);

const partitionContext = (partition: PartitionContext): RpcTypedData =>
  json({
    IsCheckpointingAfterInvocation: partition.isCheckpointingAfterInvocation,
    FullyQualifiedNamespace: partition.fullyQualifiedNamespace,
    EventHubName: partition.eventHubName,
    ConsumerGroup: partition.consumerGroup,
    PartitionId: partition.partitionId,
  });

const systemProperties = (event: ReceivedEvent) => ({
  ...event.systemProperties,
  SequenceNumber: event.sequenceNumber,
  Offset: Number.isSafeInteger(Number(event.offset)) ? Number(event.offset) : event.offset,
  PartitionKey: event.partitionKey ?? null,
  EnqueuedTimeUtc: dotNetUtc(event.enqueuedTime),
});

const sequenceNumber = (event: ReceivedEvent, options: MetadataOptions): number | Long =>
  options.longSequenceNumbers ? toLong(event.sequenceNumber) : event.sequenceNumber;

const toLong = (value: number): Long => ({
  low: value | 0,
  high: Math.floor(value / 2 ** 32),
  unsigned: false,
});

/** A .NET DateTime of unspecified kind: no `Z`, no zeros at the end. */
const dotNetUtc = (time: Date): string => time.toISOString().replace(/\.?0*Z$/, '');

/** Bytes become Base64, as in Json.NET. */
const json = (value: unknown): RpcTypedData => ({
  json: JSON.stringify(
    value,
    function (this: Readonly<Record<string, unknown>>, key: string, member: unknown) {
      const original = this[key]; // `member` is already the result of Buffer.toJSON
      return Buffer.isBuffer(original) ? original.toString('base64') : member;
    },
  ),
});
