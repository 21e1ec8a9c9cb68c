/** A cloud-to-device message in the queue of its device. */
export interface CloudMessage {
  /** Made by the hub. No other message has it, unlike the message id of the sender. */
  readonly id: string;
  /** Base64. */
  readonly body: string;
  /**
   * The system properties by their names in the topic of a message. Those that the sender has not set are absent, except `$.to`.
   *
   * @example { '$.mid': 'a', '$.to': '/devices/dev-1/messages/devicebound', 'iothub-ack': 'none' }
   */
  readonly system: Readonly<Record<string, string>>;
  /** The application properties. Over AMQP, a service can send one without a value: null. */
  readonly properties: Readonly<Record<string, string | null>>;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  /** How often the device has abandoned it. */
  readonly deliveryCount: number;
  /** A number that grows with each message to the device. Messages of earlier versions of Berth have none. */
  readonly sequenceNumber?: number;
  /** Milliseconds since the epoch; absent as the sequence number. */
  readonly enqueuedAt?: number;
}
