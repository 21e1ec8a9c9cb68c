import type { Entry } from '../hub/device-store.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { CloudMessage } from '../model/cloud-message.ts';
import { describeFeedback, type FeedbackStatus, wantsFeedback } from '../model/feedback.ts';
import { formatInstant } from '../model/instant.ts';

/**
 * The hub sends feedback "when the batch reaches to 64 messages, or in 15 seconds from last sent"
 * (iot-hub-devguide-messages-c2d.md).
 */
const MAX_BATCH = 64;
const BATCH_EVERY_MS = 15_000;
/** How often the hub looks at its clock, in milliseconds. */
const LOOK_EVERY_MS = 200;
/** How often the hub looks for messages that have expired, in milliseconds. It looks at every device. */
const EXPIRE_EVERY_MS = 1000;

/** Notes the end of a message, if its sender wants to know it. */
export function recordFeedback(
  hub: LocalHub,
  { identity }: Entry,
  message: CloudMessage,
  statusCode: FeedbackStatus,
): void {
  if (!wantsFeedback(message.system['iothub-ack'], statusCode)) return;
  hub.pendingFeedback.push({
    originalMessageId: message.system['$.mid'] ?? '',
    enqueuedTimeUtc: formatInstant(hub.tick()),
    statusCode,
    deviceId: identity.deviceId,
    deviceGenerationId: identity.generationId,
  });
}

/** What happens to cloud-to-device messages when time passes. */
export interface MessageTimes {
  /** Ends the messages that have expired. */
  readonly expire: (hub: LocalHub) => void;
  /** Delivers the messages again whose locks have expired. */
  readonly unlock: (hub: LocalHub) => void;
}

/** Sends the feedback of a hub in batches, and looks at the times of its messages. It ends when the hub closes. */
export function keepSendingFeedback(hub: LocalHub, { expire, unlock }: MessageTimes): void {
  let sentAt = Number.NEGATIVE_INFINITY;
  let expiredAt = Number.NEGATIVE_INFINITY;
  const look = (): void => {
    if (hub.now() - expiredAt >= EXPIRE_EVERY_MS) {
      expiredAt = hub.now();
      expire(hub);
    }
    unlock(hub);
    hub.feedback.look();
    hub.fileNotifications.look();
    const isDue = hub.now() - sentAt >= BATCH_EVERY_MS || hub.pendingFeedback.length >= MAX_BATCH;
    if (hub.pendingFeedback.length === 0 || !isDue) return;
    sentAt = hub.now();
    sendBatch(hub);
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      hub.log.error(
        `Hub ${hub.host} could not look at its messages: ${error instanceof Error ? error.message : 'unknown reason'}`,
      );
    }
  }, LOOK_EVERY_MS);
  timer.unref();
  const stop = (): void => {
    clearInterval(timer);
    // The queue is stored, and feedback that waits is not.
    while (hub.pendingFeedback.length > 0) sendBatch(hub);
  };
  hub.closing.addEventListener('abort', stop, { once: true });
}

/** "When a device is deleted, any pending feedback is deleted as well" (same page). */
function sendBatch(hub: LocalHub): void {
  const batch = hub.pendingFeedback.splice(0, MAX_BATCH);
  const records = batch.filter(
    ({ deviceId, deviceGenerationId }) =>
      hub.store.get({ deviceId })?.identity.generationId === deviceGenerationId,
  );
  if (records.length > 0) hub.feedback.add(JSON.stringify(records.map(describeFeedback)));
}
