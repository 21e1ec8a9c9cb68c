/** An event of a producer in this process. It becomes the same AMQP message that a client would send. */
export interface EventToAppend {
  readonly body: Buffer;
  /**
   * Events of one key keep their order in one partition. With `partitionId`, the key is stored but does not choose the
   * partition.
   */
  readonly partitionKey?: string | undefined;
  /**
   * Chooses the partition as a key does, but is not stored: IoT Hub chooses the partition by the device id and writes no
   * `x-opt-partition-key`.
   */
  readonly placementKey?: string | undefined;
  /** "0", "1", … Without this and without a key, the partitions are used one after the other. */
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

/** The position of an event in its partition. */
export interface EventPlace {
  readonly sequenceNumber: number;
  /** Bytes of all earlier messages of the partition. Clients get it as a string. */
  readonly offset: number;
  /** Milliseconds since the epoch; never decreases within a partition. */
  readonly enqueuedTime: number;
}

export interface AppendedPosition extends EventPlace {
  readonly partitionId: string;
}

/** A stored event: encoded AMQP sections. Delivery annotations are inserted between the two parts. */
export interface StoredEvent extends EventPlace {
  /** The header section, or nothing. */
  readonly header: Buffer;
  /** All sections from the message annotations on, with the annotations of Event Hubs. */
  readonly message: Buffer;
}

/** A checked event of a producer, before it has a position. */
export interface ProducedEvent {
  readonly partitionKey: string | undefined;
  readonly header: Buffer;
  /** Encoded map entries of the producer's message annotations, without the names that Event Hubs uses. */
  readonly annotations: readonly Buffer[];
  /** Properties, application properties, body and footer, unchanged. */
  readonly sections: Buffer;
}
