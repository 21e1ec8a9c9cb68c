import type { X509Certificate } from 'node:crypto';

/** What a client says about itself when it connects. */
export interface MqttConnect {
  readonly clientId: string;
  readonly userName: string;
  readonly password: string | undefined;
  /**
   * False: the client wants the subscriptions of its last connection back, and finds these again the next
   * time.
   */
  readonly cleanSession: boolean;
  /** The certificates the client showed, leaf first; empty if none. */
  readonly certificates: readonly X509Certificate[];
}

/** The CONNACK return codes of MQTT 3.1.1 with which a client can be refused. */
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
}

/** The server's end of one connection, as a service sees it. None of its methods throws. */
export interface MqttConnection {
  /**
   * Sends a message with QoS 0 if the client is subscribed to `filter`, which covers the topic; answers
   * whether it is.
   */
  publish(filter: string, message: MqttMessage): boolean;
  close(): void;
}

/** A service's end of one accepted connection. A method that throws or rejects ends the connection. */
export interface MqttSession {
  /** The filters that the client is subscribed to from the start: those of its last connection. */
  readonly restored: readonly string[];
  /** The client was accepted; messages may be published from now on. */
  opened(connection: MqttConnection): void;
  /** Whether the client may subscribe to this filter. */
  grants(filter: string): boolean;
  /** What the client is subscribed to has changed. */
  subscribed(filters: readonly string[]): void;
  /** Takes a message of the client. It is acknowledged, and the next one handed over, when this settles. */
  received(message: MqttMessage): void | Promise<void>;
  /** The connection is gone, for whatever reason. Called once, and only after `opened`. */
  closed(): void;
}

/**
 * A cloud service that clients reach over MQTT. One port serves several; the user name tells which is meant.
 */
export interface MqttService {
  claims(userName: string): boolean;
  connect(request: MqttConnect): Promise<MqttSession | MqttRefusal>;
}
