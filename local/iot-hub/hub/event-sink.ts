/** An event of a hub to an Event Hub. */
export interface HubEvent {
  readonly body: Buffer;
  /** The device id, so that all events of a device are in one partition. As in Azure, the event does not contain it. */
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

/** Receives the events of a hub. It stores the event before it returns. */
export type EventSink = (event: HubEvent) => void;

/** The log message for an event for which the sink throws. */
export function lostEvent(host: string, error: unknown): string {
  return `Hub ${host} lost an event: ${error instanceof Error ? error.message : 'unknown reason'}`;
}
