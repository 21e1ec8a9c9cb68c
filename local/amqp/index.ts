/**
 * AMQP 1.0, over TLS or plain, for Event Hubs, the local hubs and DPS: only the protocol, the SASL mechanisms and `$cbs`,
 * without devices and events.
 */
export { type AmqpError, amqpError } from './conditions.ts';
export { guarded } from './guarded.ts';
export { openInbox } from './inbox.ts';
export { Outbox, type OutboxMessage, type Outcome } from './outbox.ts';
export { createRequestNode } from './request-node.ts';
export type { NodeRequest, NodeResponse } from './response-links.ts';
export type { SaslClient, SaslMechanism } from './sasl.ts';
export { type AmqpOptions, type AmqpServer, startAmqp } from './server.ts';
export type {
  AmqpClient,
  AmqpNode,
  AmqpService,
  AmqpSession,
  Claim,
  OpenedLink,
  PlainAnswer,
  PlainLogin,
} from './service.ts';
