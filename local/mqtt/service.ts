import type { X509Certificate } from 'node:crypto';

/** The CONNECT packet of a client. */
export interface MqttConnect {
  readonly clientId: string;
  readonly userName: string;
  readonly password: string | undefined;
  /**
   * False: the client gets the subscriptions of its last connection, and the next connection gets those of this one.
   */
  readonly cleanSession: boolean;
  /** The Will message; absent: none. The service checks its topic. */
  readonly will?: MqttMessage;
  /** The certificates of the client, leaf first; empty if none. */
  readonly certificates: readonly X509Certificate[];
}

/** The CONNACK return codes of MQTT 3.1.1 for refused clients. */
export const CONNECT_REFUSED = {
  protocolVersion: 1,
  identifier: 2,
  unavailable: 3,
  notAuthorized: 5,
} as const;

export interface MqttRefusal {
  readonly refused: (typeof CONNECT_REFUSED)[keyof typeof CONNECT_REFUSED];
}

export interface MqttMessage {
  readonly topic: string;
  readonly payload: Buffer;
  /** The RETAIN flag of a message of a client; absent: not set. */
  readonly isRetained?: boolean;
}

/** A packet with QoS 1 to a client. */
export interface MqttPacketId {
  /** 1 to 65,535. No other message that the client has not acknowledged has it. */
  readonly id: number;
  /** Whether the client may already have the message with this id. The packet then has the flag DUP (MQTT 3.1.1, 3.3.1.1). */
  readonly isSentAgain: boolean;
}

/** How a message that the client acknowledges is delivered. */
export interface MqttDelivery {
  /** Called if the message has QoS 1, before it is sent. */
  packetId(): MqttPacketId;
  /** Called when the client has acknowledged the message, or with QoS 0 at once. Not called if the connection ends before. */
  acknowledged(): void;
}

/** A connection, for its service. None of its methods throws. */
export interface MqttConnection {
  /**
   * Sends a message if the client is subscribed to `filter`, which covers the topic. Returns whether it was sent: the client is
   * subscribed, and the topic is not too long (`isTopic`).
   *
   * @param delivery Absent: QoS 0. Else the message has the QoS of the subscription.
   */
  publish(filter: string, message: MqttMessage, delivery?: MqttDelivery): boolean;
  close(): void;
}

/** The subscriptions of a client: its filters, each with its QoS. */
export type MqttSubscriptions = ReadonlyMap<string, 0 | 1>;

/** The service's handlers for one accepted connection. If a method throws or rejects, the connection ends. */
export interface MqttSession {
  /** The subscriptions of the client's last connection. It has them from the start. */
  readonly restored: MqttSubscriptions;
  /** Called when the client is accepted. The service can now publish messages. */
  opened(connection: MqttConnection): void;
  /** Whether the client may subscribe to this filter. */
  grants(filter: string): boolean;
  /** Called with all subscriptions when they change. */
  subscribed(subscriptions: MqttSubscriptions): void;
  /**
   * Processes a message of the client. When it settles, the message is acknowledged, and the next one follows. Messages
   * that the service publishes until then are sent after the acknowledgement.
   */
  received(message: MqttMessage): void | Promise<void>;
  /**
   * Called once when the connection has ended, and only after `opened`.
   *
   * @param isClean whether the client has disconnected by DISCONNECT. Otherwise its Will message counts (MQTT 3.1.1, 3.1.2.5).
   */
  closed(isClean: boolean): void;
}

/**
 * A cloud service with an MQTT API. One port serves several; the user name selects the service.
 */
export interface MqttService {
  claims(userName: string): boolean;
  connect(request: MqttConnect): Promise<MqttSession | MqttRefusal>;
}
