import { randomUUID } from 'node:crypto';

/** An AMQP error, as Azure's services send it. SDKs choose their exception by `condition`, and some by the description. */
export interface AmqpError {
  readonly condition: string;
  readonly description: string;
}

/** An error with the tracking id and the time that Azure appends to each description. */
export function amqpError(condition: string, text: string): AmqpError {
  return {
    condition,
    description: `${text} TrackingId:${randomUUID()}, Timestamp:${new Date().toISOString()}`,
  };
}

/** Azure/azure-event-hubs-python#106: a rejected delivery, not a closed link. */
export function messageTooLarge(deliveryId: number, size: number, limit: number): AmqpError {
  return amqpError(
    'amqp:link:message-size-exceeded',
    `The received message (delivery-id:${deliveryId}, size:${size} bytes) exceeds the limit (${limit} bytes) currently allowed on the link.`,
  );
}

export function undecodable(reason: string): AmqpError {
  return amqpError('amqp:decode-error', reason);
}

/** The client has no token or certificate, or one that does not count. */
export function unauthorized(reason: string): AmqpError {
  return amqpError('amqp:unauthorized-access', reason);
}

export function notAllowed(reason: string): AmqpError {
  return amqpError('amqp:not-allowed', reason);
}

/** Not in Azure: Azure has it, the local stack does not. */
export function notImplemented(reason: string): AmqpError {
  return amqpError('amqp:not-implemented', reason);
}

export function internalError(): AmqpError {
  return amqpError(
    'amqp:internal-error',
    'The service was unable to process the request; please retry the operation.',
  );
}
