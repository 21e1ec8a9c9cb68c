import type { JsonObject } from '../../../src/json/json.ts';

/** The end of a cloud-to-device message (iot-hub-devguide-messages-c2d.md, "Message feedback"). */
export type FeedbackStatus = 'Success' | 'Expired' | 'DeliveryCountExceeded' | 'Rejected' | 'Purged';

/** What the hub tells services about the end of a message. */
export interface FeedbackRecord {
  /** The message id of the sender; empty if the message had none. */
  readonly originalMessageId: string;
  /** When the message ended, in UTC. */
  readonly enqueuedTimeUtc: string;
  readonly statusCode: FeedbackStatus;
  readonly deviceId: string;
  readonly deviceGenerationId: string;
}

/**
 * Whether the sender of a message wants to know this end. A message that the device does not complete is dead-lettered,
 * so it is negative.
 *
 * @param acknowledgement `iothub-ack` of the message: `none`, `positive`, `negative` or `full`
 */
export function wantsFeedback(acknowledgement: string | undefined, status: FeedbackStatus): boolean {
  if (acknowledgement === 'full') return true;
  return acknowledgement === (status === 'Success' ? 'positive' : 'negative');
}

/** A record in the form of the body of a feedback message. */
export function describeFeedback(record: FeedbackRecord): JsonObject {
  return { ...record, description: record.statusCode };
}
