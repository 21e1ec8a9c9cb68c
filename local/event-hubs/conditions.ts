import { type AmqpError, amqpError } from '../amqp/index.ts';

interface Named {
  readonly name: string;
  readonly epoch: number | undefined;
}

/**
 * The .NET SDK distinguishes a missing entity from a broken connection by this text (azure-sdk-for-net, AmqpError.cs).
 */
export function entityNotFound(entity: string): AmqpError {
  return amqpError('amqp:not-found', `The messaging entity '${entity}' could not be found.`);
}

/** Azure/azure-sdk-for-python#11708. */
export function partitionOutOfRange(partitionCount: number): AmqpError {
  return amqpError(
    'com.microsoft:argument-out-of-range',
    `The specified partition is invalid for an EventHub partition sender or receiver. It should be between 0 and ${partitionCount - 1}.`,
  );
}

/** Azure/azure-event-hubs-python#13 (offset), nicolgit/azure-firewall-mon#21 (sequence number). */
export function positionBeyondEnd(by: 'offset' | 'sequenceNumber', value: number, last: number): AmqpError {
  const what = by === 'offset' ? 'offset' : 'sequence number';
  return amqpError(
    'com.microsoft:argument-error',
    `The supplied ${what} '${value}' is invalid. The last ${what} in the system is '${last}'`,
  );
}

/** Azure/azure-sdk-for-net#49318, Azure/azure-sdk-for-js#6706. */
export function invalidFilter(filter: string): AmqpError {
  return amqpError(
    'amqp:not-allowed',
    `The filter '${filter}' is not a valid amqp filter for EventHub entities`,
  );
}

export const stolen = {
  /** Azure/azure-sdk-for-java#12483. */
  byNewcomer: (current: Named, name: string, epoch: number): AmqpError =>
    amqpError(
      'amqp:link:stolen',
      `New receiver '${name}' with higher epoch of '${epoch}' is created hence current receiver '${current.name}' with epoch '${current.epoch ?? ''}' is getting disconnected. If you are recreating the receiver, make sure a higher epoch is used.`,
    ),
  /** Azure/azure-sdk-for-java#26583. */
  byHigherEpoch: (name: string, epoch: number, holder: Named): AmqpError =>
    amqpError(
      'amqp:link:stolen',
      `Receiver '${holder.name}' with a higher epoch '${holder.epoch}' already exists. Receiver '${name}' with epoch ${epoch} cannot be created. Make sure you are creating receiver with increasing epoch value to ensure connectivity, or ensure all old epoch receivers are closed or disconnected.`,
    ),
  /** Azure/azure-event-hubs-go#181. */
  byHolder: (holder: Named): AmqpError =>
    amqpError(
      'amqp:link:stolen',
      `At least one receiver for the endpoint is created with epoch of '${holder.epoch}', and so non-epoch receiver is not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or disconnected.`,
    ),
};

/** Azure/azure-sdk-for-java#38117, MicrosoftDocs/azure-docs#24985. */
export function tooManyReaders(connected: readonly Named[], limit: number): AmqpError {
  return amqpError(
    'amqp:resource-limit-exceeded',
    `Exceeded the maximum number of allowed receivers per partition in a consumer group which is ${limit}. List of connected receivers - ${connected.map(({ name }) => name).join(', ')}.`,
  );
}
