/** What an in-process producer hands over; it becomes the same AMQP message that a client would send. */
export interface EventToAppend {
  readonly body: Buffer;
  /**
   * Events of one key keep their order in one partition. Ignored where `partitionId` is given, but kept on
   * the event.
   */
  readonly partitionKey?: string | undefined;
  /** "0", "1", … Neither this nor a key: the partitions take turns. */
  readonly partitionId?: string | undefined;
  /** Application properties. Whole numbers become AMQP longs, others doubles, Dates timestamps. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined;
  /** Message annotations such as `iothub-connection-device-id`; clients show them as system properties. */
  readonly annotations?: Readonly<Record<string, unknown>> | undefined;
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly userId?: string | Buffer | undefined;
  readonly messageId?: string | undefined;
  readonly subject?: string | undefined;
}

/** Where an event came to lie in its partition. */
export interface EventPlace {
  readonly sequenceNumber: number;
  /** Bytes of messages before this one in the partition since its beginning. Clients see it as a string. */
  readonly offset: number;
  /** Milliseconds since the epoch; never decreases within a partition. */
  readonly enqueuedTime: number;
}

export interface AppendedPosition extends EventPlace {
  readonly partitionId: string;
}

/** An event as it is kept and sent: encoded AMQP sections, whose delivery annotations go between the two. */
export interface StoredEvent extends EventPlace {
  /** The header section, or nothing. */
  readonly header: Buffer;
  /** Everything from the message annotations on, Event Hubs' own annotations included. */
  readonly message: Buffer;
}

/** An event that a producer sent, checked, but without its place yet. */
export interface ProducedEvent {
  readonly partitionKey: string | undefined;
  readonly header: Buffer;
  /** Encoded map entries of the producer's message annotations, without those that belong to Event Hubs. */
  readonly annotations: readonly Buffer[];
  /** Properties, application properties, body and footer, byte for byte as they were sent. */
  readonly sections: Buffer;
}
