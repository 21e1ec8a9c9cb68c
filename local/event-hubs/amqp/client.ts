import type { Socket } from 'node:net';
import type { Connection, EventContext, Receiver, Sender, Session } from 'rhea';
import type { LocalLog } from '../../log.ts';
import {
  type AmqpError,
  entityNotFound,
  invalidFilter,
  notAllowed,
  notInLocalHub,
  partitionOutOfRange,
  positionBeyondEnd,
  unauthorized,
  undecodable,
} from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import { parseEventPosition } from '../event-position.ts';
import { MalformedMessageError } from '../message/encoding.ts';
import { Access } from './access.ts';
import { answerClaims } from './claims.ts';
import { hasProvedKey } from './connection.ts';
import { type EntityAddress, isOfIotHub, parseEntityAddress } from './entity-address.ts';
import { type InboundTransfer, watchInboundTransfers } from './inbound-transfer.ts';
import { answerManagement } from './management.ts';
import { MAX_MESSAGE_SIZE, openProducerLink } from './producer-link.ts';
import { ReaderLink } from './reader-link.ts';
import { RUNTIME_METRICS, readReaderRequest } from './reader-request.ts';
import { type NodeRequest, type NodeResponse, ResponseLinks, readRequest } from './response-links.ts';
import { linkInternals } from './rhea-internals.ts';
import { reject } from './settlement.ts';

/** The event hubs that a client can use. */
export interface Namespace {
  /** Names of event hubs are not case-sensitive. */
  readonly findHub: (name: string) => EventHub | undefined;
  readonly log: LocalLog;
  readonly now: () => number;
}

/** Time for a client to read the written data before the connection ends. */
const CLOSE_TIME_OUT_MS = 500;

type ReaderAddress = Extract<EntityAddress, { kind: 'reader' }>;
type ProducerAddress = Extract<EntityAddress, { kind: 'hub' | 'partition' }>;

/** Serves the links of one client. The address of a link makes it a request node, a producer or a reader. */
export class Client {
  readonly #socket: Socket;
  readonly #namespace: Namespace;
  readonly #inbound: () => InboundTransfer;
  readonly #access: Access;
  readonly #claims = new ResponseLinks();
  readonly #management = new ResponseLinks();
  /** A function for each reader that ends it. */
  readonly #readers = new Map<Sender, () => void>();

  constructor(connection: Connection, socket: Socket, namespace: Namespace) {
    this.#socket = socket;
    this.#namespace = namespace;
    this.#access = new Access(namespace.now);
    connection.once('connection_open', () => {
      if (hasProvedKey(connection)) this.#access.grantAll();
      if (isOfIotHub(connection.hostname)) connection.close(notInLocalHub());
    });
    this.#inbound = watchInboundTransfers(connection, MAX_MESSAGE_SIZE);
    connection.on('receiver_open', ({ receiver }: EventContext) => {
      const refusal = receiver && this.#openReceiver(receiver);
      if (refusal !== undefined) receiver?.close(refusal);
    });
    connection.on('sender_open', ({ sender }: EventContext) => {
      const refusal = sender && this.#openSender(sender);
      if (refusal !== undefined) sender?.close(refusal);
    });
    connection.on('sender_close', ({ sender }: EventContext) => {
      if (sender !== undefined) this.#endReader(sender);
    });
    connection.on('session_close', ({ session }: EventContext) => this.#endReaders(session));
    socket.once('close', () => this.#endReaders());
  }

  /**
   * Ends the connection when all data is written, without a close frame. While the JavaScript client handles a close
   * frame, a send can end in an unhandled rejection. When the socket ends, it only makes a new connection.
   */
  close(): void {
    this.#endReaders();
    this.#socket.destroySoon();
    const deadline = setTimeout(() => this.#socket.destroy(), CLOSE_TIME_OUT_MS);
    this.#socket.once('close', () => clearTimeout(deadline));
  }

  /** Opens a link on which the client sends. Returns the reason of a refusal, or undefined. */
  #openReceiver(receiver: Receiver): AmqpError | undefined {
    const target = receiver.target?.address;
    const address = parseEntityAddress(target);
    if (address.kind !== 'unknown') receiver.set_source({ address: String(receiver.source?.address ?? '') });
    switch (address.kind) {
      case 'claims':
        return this.#openNode(receiver, this.#claims, (request) =>
          answerClaims(request, this.#namespace.findHub, this.#access, this.#namespace.now()),
        );
      case 'management':
        return this.#openNode(receiver, this.#management, (request) =>
          answerManagement(request, this.#namespace.findHub, this.#access),
        );
      case 'hub':
      case 'partition':
        return this.#openProducer(receiver, address);
      default:
        return isOfIotHub(target) ? notInLocalHub() : notAllowed(`'${target}' does not accept messages.`);
    }
  }

  /** Opens a link on which the client receives. Returns the reason of a refusal, or undefined. */
  #openSender(sender: Sender): AmqpError | undefined {
    const source = sender.source?.address;
    const address = parseEntityAddress(source);
    sender.set_target({ address: String(sender.target?.address ?? '') });
    switch (address.kind) {
      case 'claims':
      case 'management':
        sender.set_source({ address: source });
        (address.kind === 'claims' ? this.#claims : this.#management).add(sender);
        return undefined;
      case 'reader':
        return this.#openReader(sender, address);
      default:
        return isOfIotHub(source) ? notInLocalHub() : notAllowed(`'${source}' does not send messages.`);
    }
  }

  #openNode(
    receiver: Receiver,
    links: ResponseLinks,
    answer: (request: NodeRequest) => NodeResponse,
  ): undefined {
    receiver.set_target({ address: receiver.target.address });
    receiver.on(
      'message',
      ({ message, delivery }: { message?: unknown } & Pick<EventContext, 'delivery'>) => {
        try {
          const request = readRequest(Buffer.isBuffer(message) ? message : Buffer.alloc(0));
          // The client for .NET fails if its request is answered before it is settled.
          delivery?.accept();
          const response = answer(request);
          setImmediate(() => this.#respond(links, request, response));
        } catch (error) {
          if (!(error instanceof MalformedMessageError)) throw error;
          if (delivery !== undefined) reject(delivery, undecodable(error.message));
        }
      },
    );
  }

  #respond(links: ResponseLinks, request: NodeRequest, response: NodeResponse): void {
    try {
      links.answer(request, response);
    } catch (error) {
      // rhea's guards do not cover this tick. An error here would end the whole local stack.
      this.#namespace.log.warn(`Event Hubs: disconnected a client. ${String(error)}`);
      this.#socket.destroy();
    }
  }

  #openProducer(receiver: Receiver, address: ProducerAddress): AmqpError | undefined {
    const hub = this.#namespace.findHub(address.hub);
    if (hub === undefined) return entityNotFound(receiver.target.address);
    if (!this.#access.allows(hub.name)) return missingClaim('Send');
    const partition = address.kind === 'partition' ? hub.partition(address.partitionId) : undefined;
    if (address.kind === 'partition' && partition === undefined)
      return partitionOutOfRange(hub.partitions.length);
    receiver.set_target({ address: receiver.target.address });
    openProducerLink({ receiver, hub, partition, inbound: this.#inbound, log: this.#namespace.log });
    return undefined;
  }

  /** Starts to send events. Returns the reason of a refusal, or undefined. */
  #openReader(sender: Sender, address: ReaderAddress): AmqpError | undefined {
    const { source } = sender;
    const hub = this.#namespace.findHub(address.hub);
    if (hub === undefined) return entityNotFound(source.address);
    if (!this.#access.allows(hub.name)) return missingClaim('Listen');
    const partition = hub.partition(address.partitionId);
    if (partition === undefined) return partitionOutOfRange(hub.partitions.length);
    const readers = hub.readers(address.consumerGroup, partition);
    if (readers === undefined) return entityNotFound(source.address);

    const { filter, name, epoch, runtimeMetrics } = readReaderRequest(sender);
    const position = parseEventPosition(filter);
    if (position === undefined) return invalidFilter(filter ?? '');
    const start = partition.start(position);
    if (!start.ok) return positionBeyondEnd(start.by, start.value, start.last);

    const reader = new ReaderLink({
      sender,
      socket: this.#socket,
      partition,
      name,
      epoch,
      next: start.sequenceNumber,
      runtimeMetrics,
      now: this.#namespace.now,
      log: this.#namespace.log,
    });
    const refusal = readers.admit(reader);
    if (refusal !== undefined) return refusal;
    this.#readers.set(sender, () => {
      reader.stop();
      readers.remove(reader);
    });

    sender.set_source({
      address: source.address,
      ...(source.filter == null ? {} : { filter: source.filter }),
    });
    if (runtimeMetrics) linkInternals(sender).local.attach.offered_capabilities = RUNTIME_METRICS;
    reader.start();
    return undefined;
  }

  #endReader(sender: Sender): void {
    this.#readers.get(sender)?.();
    this.#readers.delete(sender);
  }

  #endReaders(session?: Session): void {
    for (const sender of this.#readers.keys()) {
      if (session === undefined || sender.session === session) this.#endReader(sender);
    }
  }
}

function missingClaim(claim: 'Send' | 'Listen'): AmqpError {
  return unauthorized(`Unauthorized access. '${claim}' claim(s) are required to perform this operation.`);
}
