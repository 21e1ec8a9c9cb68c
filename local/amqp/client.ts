import type { EventContext, Receiver, Sender, Session } from 'rhea';
import type { ClientStream } from '../client-stream.ts';
import type { LocalLog } from '../log.ts';
import { type AmqpError, notAllowed } from './conditions.ts';
import { acceptConnection } from './connection.ts';
import { watchInboundTransfers } from './inbound-transfer.ts';
import { mechanismsFor } from './mechanisms.ts';
import { createRequestNode } from './request-node.ts';
import type { NodeRequest, NodeResponse } from './response-links.ts';
import { connectionInternals, linkInternals } from './rhea-internals.ts';
import type { AmqpClient, AmqpNode, AmqpService, AmqpSession, OpenedLink } from './service.ts';

/** Bytes of a message that are kept. No service accepts a larger one, so the rest is dropped. */
const MAX_KEPT_BYTES = 1_048_576;

/** Time for a client to read the written data before the connection ends. */
const CLOSE_TIME_OUT_MS = 500;

const CLAIMS = '$cbs';

/** What the clients of a server share. */
export interface ServerOfClient {
  /** For the log. */
  readonly name: string;
  readonly services: readonly AmqpService[];
  readonly log: LocalLog;
}

/** A client that is served. */
export interface ServedClient {
  /**
   * Ends the connection when all data is written, without a close frame. While the JavaScript client handles a close
   * frame, a send can end in an unhandled rejection. When the socket ends, it only makes a new connection.
   */
  close(): void;
}

/** Serves AMQP 1.0 to one client until its stream closes, and gives its links to the services. */
export function serveClient(from: ClientStream, server: ServerOfClient): ServedClient {
  const { services, log } = server;
  const { stream } = from;
  let sessions: readonly AmqpSession[] = [];
  /** What serves the client instead of `connect` of a service that has accepted its password. */
  const loggedIn = new Map<AmqpService, AmqpService['connect']>();
  /** A function for each open link that ends it. */
  const links = new Map<Receiver | Sender, () => void>();

  const mechanisms = mechanismsFor(from, services, (by, connect) => loggedIn.set(by, connect));
  const { connection, drop } = acceptConnection(from, mechanisms, server);
  const inbound = watchInboundTransfers(connection, MAX_KEPT_BYTES);
  const client: AmqpClient = {
    get host() {
      return hostOf(connection.hostname) ?? from.host;
    },
    certificates: () => from.certificates(),
    get mechanism() {
      return connectionInternals(connection).sasl_transport?.selected?.mechanism;
    },
    stream,
    inbound,
    log,
    close: (error) => connection.close(error),
    end: () => void setImmediate(end), // rhea writes the frames of this tick first
    drop,
  };
  const claims = createRequestNode(client, putToken);

  connection.once('connection_open', () => {
    const serving = services.filter((service) => client.host !== undefined && service.serves(client.host));
    sessions = (serving.length > 0 ? serving : services).map((service) =>
      (loggedIn.get(service) ?? service.connect)(client),
    );
  });
  connection.on('receiver_open', ({ receiver }: EventContext) => {
    if (receiver === undefined) return;
    const refusal = open(receiver, receiver.target?.address, 'does not accept messages', (node) =>
      node.openReceiver?.bind(node),
    );
    if (refusal !== undefined) receiver.close(refusal);
  });
  connection.on('sender_open', ({ sender }: EventContext) => {
    if (sender === undefined) return;
    sender.set_target({ address: String(sender.target?.address ?? '') });
    const refusal = open(sender, sender.source?.address, 'does not send messages', (node) =>
      node.openSender?.bind(node),
    );
    if (refusal !== undefined) sender.close(refusal);
  });
  connection.on('receiver_close', ({ receiver }: EventContext) => receiver && ended(receiver));
  connection.on('sender_close', ({ sender }: EventContext) => sender && ended(sender));
  connection.on('session_close', ({ session }: EventContext) => endAll(session));
  stream.once('close', () => {
    endAll();
    const closing = sessions;
    sessions = [];
    for (const session of closing) ending(() => session.closed());
  });

  /** Opens a link at its node. Returns the reason of a refusal, or undefined. */
  function open<L extends Receiver | Sender>(
    link: L,
    address: unknown,
    lack: string,
    opener: (node: AmqpNode) => ((opened: OpenedLink<L>) => AmqpError | undefined) | undefined,
  ): AmqpError | undefined {
    const node = typeof address === 'string' ? nodeAt(address) : undefined;
    const openAt = node && opener(node);
    echoSettings(link);
    if (openAt === undefined) return notAllowed(`'${address}' ${lack}.`);
    if (!link.is_sender()) (link as Receiver).set_source({ address: String(link.source?.address ?? '') });
    const callbacks: (() => void)[] = [];
    const refusal = openAt({ link, whenClosed: (callback) => callbacks.push(callback) });
    const end = () => {
      for (const callback of callbacks) ending(callback);
    };
    if (refusal === undefined) links.set(link, end);
    else end();
    return refusal;
  }

  function nodeAt(address: string): AmqpNode | undefined {
    if (isClaims(address)) return claims;
    for (const session of sessions) {
      const node = session.node(address);
      if (node !== undefined) return node;
    }
    return undefined;
  }

  async function putToken({ properties, body }: NodeRequest): Promise<NodeResponse> {
    const { operation, name, type } = properties;
    if (operation !== 'put-token' || typeof name !== 'string') {
      return {
        status: 400,
        description: 'The request must be a put-token request with the name of an entity.',
      };
    }
    for (const session of sessions) {
      const response = await session.putToken({ audience: name, type, token: body });
      if (response !== undefined) return response;
    }
    return { status: 404, description: `The entity '${name}' could not be found.` };
  }

  /** Nothing else guards what runs when a link or the connection has ended. */
  function ending(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      log.error(`${server.name}: an error at the end of a link of ${from.from}. ${String(error)}`);
      drop(String(error));
    }
  }

  function ended(link: Receiver | Sender): void {
    const end = links.get(link);
    links.delete(link);
    end?.();
  }

  function endAll(session?: Session): void {
    for (const link of [...links.keys()]) {
      if (session === undefined || link.session === session) ended(link);
    }
  }

  function end(): void {
    stream.end(() => stream.destroy());
    const deadline = setTimeout(() => stream.destroy(), CLOSE_TIME_OUT_MS);
    stream.once('close', () => clearTimeout(deadline));
  }

  return {
    close() {
      endAll();
      end();
    },
  };
}

/** Fields of an attach frame (OASIS AMQP 1.0, part 2, section 2.7.3). */
const SENDER_SETTLE_MODE = 3;
const RECEIVER_SETTLE_MODE = 4;
const MAX_MESSAGE_SIZE = 10;
const PROPERTIES = 13;
/** What a service reads and what it sends have limits and settle modes of their own. */
const ECHOED_TO_WRITERS = [SENDER_SETTLE_MODE, RECEIVER_SETTLE_MODE, PROPERTIES];
const ECHOED_TO_READERS = [RECEIVER_SETTLE_MODE, MAX_MESSAGE_SIZE, PROPERTIES];

/**
 * Answers an attach frame with fields of the client, as Azure does (`Create` in Azure/azure-amqp, src/AmqpLinkSettings.cs).
 * Microsoft's Event Hubs client for Python fails without the properties. The SDK for C# fails without the settle mode, if several
 * devices of a connection send their tokens at the same time.
 */
function echoSettings(link: Receiver | Sender): void {
  const { local, remote } = linkInternals(link);
  for (const field of link.is_sender() ? ECHOED_TO_READERS : ECHOED_TO_WRITERS) {
    local.attach.value[field] = remote.attach.value[field];
  }
}

function isClaims(address: string): boolean {
  return (
    address
      .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
      .replace(/^\/+|\/+$/g, '')
      .toLowerCase() === CLAIMS
  );
}

/** A host name without its port, in lower case; undefined for another value. */
function hostOf(name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return undefined;
  return name.toLowerCase().replace(/:\d*$/, '');
}
