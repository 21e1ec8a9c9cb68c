import type { Duplex } from 'node:stream';
import type { Receiver, Sender } from 'rhea';
import type { LocalLog } from '../log.ts';
import type { AmqpError } from './conditions.ts';
import type { InboundTransfer } from './inbound-transfer.ts';
import type { NodeResponse } from './response-links.ts';
import type { SaslClient, SaslMechanism } from './sasl.ts';

/**
 * A cloud service with an AMQP API. One port serves several. The host name of the client selects the services. A host
 * name that no service serves, such as `localhost`, can mean each of them: then the audience of a token or the address
 * of a link selects the service.
 */
export interface AmqpService {
  /** The name in the log, such as `Event Hubs`. */
  readonly name: string;
  /** Whether the service serves this host name, in lower case and without a port. */
  serves(host: string): boolean;
  /**
   * Checks a user name and password (SASL PLAIN). Returns undefined if they are not for this service: another service
   * may then accept them.
   */
  checkPlain?(login: PlainLogin): PlainAnswer | undefined | Promise<PlainAnswer | undefined>;
  /** Its own SASL mechanisms besides those of every service, by name, such as `TPM`. */
  readonly mechanisms?: Readonly<Record<string, (client: SaslClient) => SaslMechanism>>;
  /** Called when a client has opened its connection. */
  connect(client: AmqpClient): AmqpSession;
}

/** `connect` then takes the place of the service's `connect`, so that the session knows what the login has proved. */
export type PlainAnswer = 'refused' | Pick<AmqpService, 'connect'>;

/** The user name and password of SASL PLAIN. */
export interface PlainLogin {
  readonly userName: string;
  readonly password: string;
  /** The host name of the client; undefined if it named none. */
  readonly host: string | undefined;
}

/** A connected client, for its services. */
export interface AmqpClient extends SaslClient {
  /** The mechanism that the client has used, with its user name; undefined without SASL. */
  readonly mechanism: SaslMechanism | undefined;
  /** The bytes of the client, for services that wait until a slow client has read. Do not read or write them. */
  readonly stream: Duplex;
  /** The size of the message whose `message` event runs. Messages of receivers are Buffers and not decoded. */
  inbound(): InboundTransfer;
  readonly log: LocalLog;
  /** Ends the connection, with a close frame that carries the error. */
  close(error: AmqpError): void;
  /**
   * Ends the connection when all data is written, without a close frame. Clients then connect again. After a close frame,
   * the client for JavaScript waits 45 s for answers of its links.
   */
  end(): void;
  /** Ends the connection at once, for an error of the stack. */
  drop(reason: string): void;
}

/** The handlers of a service for one connected client. If a method throws, the connection ends. */
export interface AmqpSession {
  /**
   * Answers a `put-token` request of `$cbs`. Returns undefined if its audience is not of this service: another service may
   * then answer. The service remembers in its session what the token permits.
   */
  putToken(claim: Claim): NodeResponse | undefined | Promise<NodeResponse | undefined>;
  /**
   * The node at an address, as the client wrote it: a path or a URL. Returns undefined if the address is not of this
   * service. The links to the node are opened with its methods.
   *
   * @example '/devices/dev-1/messages/events', 'hub/ConsumerGroups/$Default/Partitions/0'
   */
  node(address: string): AmqpNode | undefined;
  /** Called once when the connection has ended. All links are closed before. */
  closed(): void;
}

/** A token that a client presents. */
export interface Claim {
  /** What the token is for, as the client wrote it: `name` of the request. */
  readonly audience: string;
  /** `type` of the request, such as `servicebus.windows.net:sastoken` or `jwt`. */
  readonly type: unknown;
  /** The token. It can be of any type. */
  readonly token: unknown;
}

/**
 * A node to which a client opens links. A method returns the reason of a refusal, or undefined. An absent method means that
 * the node does not have this direction. The method must set the terminus of the link (`set_target`, `set_source`).
 */
export interface AmqpNode {
  /** The client opens a link on which it sends. `message` events carry Buffers. */
  openReceiver?(link: OpenedLink<Receiver>): AmqpError | undefined;
  /** The client opens a link on which it receives. */
  openSender?(link: OpenedLink<Sender>): AmqpError | undefined;
}

export interface OpenedLink<L extends Receiver | Sender> {
  readonly link: L;
  /** Calls the function once when the link has ended: by a detach, with its session, or with the connection. */
  whenClosed(callback: () => void): void;
}
