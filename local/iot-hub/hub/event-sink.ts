/** An event as a hub sends it to an Event Hub. */
export interface HubEvent {
  readonly body: Buffer;
  /** The device id: all events of a device share a partition. */
  readonly partitionKey: string;
  /** Application properties. */
  readonly properties: Record<string, unknown>;
  /** Message annotations, `systemProperties` for consumers. */
  readonly annotations: Record<string, unknown>;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly correlationId?: string;
  readonly userId?: string;
  readonly messageId?: string;
}

/** Where a hub's events go. It keeps the event before it returns. */
export type EventSink = (event: HubEvent) => void;

/** What to log where the sink throws. */
export function lostEvent(host: string, error: unknown): string {
  return `Hub ${host} lost an event: ${error instanceof Error ? error.message : 'unknown reason'}`;
}
