import rhea, { type Sender } from 'rhea';
import { type AmqpError, amqpError, Outbox, type Outcome } from '../../../amqp/index.ts';
import type { LocalHub } from '../../hub/hub.ts';
import { LOCK_MS } from '../../hub/message-locks.ts';
import type { Address } from '../../model/address.ts';
import type { CloudMessage } from '../../model/cloud-message.ts';
import {
  completeMessage,
  countDelivery,
  queuedMessages,
  rejectMessage,
} from '../../operations/cloud-messages.ts';

/** The link on which a device receives its cloud-to-device messages. */
export interface CloudMessageLink {
  /** Sends the queued messages for which the device has granted credit. */
  deliver(): void;
  /** Called when the link has ended. Messages that the device holds return to the queue. */
  closed(): void;
}

/**
 * Sends the messages in the queue of a device. A message is locked for a minute. The device completes it (`accepted`), rejects
 * it, or abandons it (`released` or `modified`), and then gets it again. The delivery tag is the lock token.
 */
export function openCloudMessageLink(hub: LocalHub, address: Address, sender: Sender): CloudMessageLink {
  /** The timers of the locks, by their tokens. */
  const held = new Map<string, NodeJS.Timeout>();
  const outbox = new Outbox(sender, true, deliver);

  function deliver(): void {
    for (const message of queuedMessages(hub, address)) {
      if (!outbox.hasCredit) return;
      if (hub.messageLocks.isLocked(message.id) || !countDelivery(hub, address, message)) continue;
      const token = hub.messageLocks.lock(message.id);
      held.set(token, setTimeout(() => returned(token), LOCK_MS).unref());
      outbox.send({
        message: encode(message),
        tag: rhea.string_to_uuid(token),
        settled: (outcome) => settle(message, token, outcome),
      });
    }
  }

  function settle(message: CloudMessage, token: string, outcome: Outcome): AmqpError | undefined {
    clearTimeout(held.get(token));
    held.delete(token);
    if (hub.messageLocks.release(token) === undefined) {
      return amqpError('com.microsoft:message-lock-lost', 'The lock of the message is lost.');
    }
    if (outcome === 'accepted') completeMessage(hub, address, message);
    else if (outcome === 'rejected') rejectMessage(hub, address, message);
    else setImmediate(deliver);
    return undefined;
  }

  /** The device has not told in time what it did with a message. */
  function returned(token: string): void {
    held.delete(token);
    hub.messageLocks.release(token);
    deliver();
  }

  return {
    deliver,
    closed() {
      for (const [token, timer] of held) {
        clearTimeout(timer);
        hub.messageLocks.release(token);
      }
      held.clear();
    },
  };
}

const { types } = rhea;

/** The types must not change: the SDK for .NET casts the delivery count to a byte. */
function encode({ body, system, properties, expires, deliveryCount }: CloudMessage): Buffer {
  const acknowledgement = system['iothub-ack'];
  const isAcknowledged = acknowledgement !== undefined && acknowledgement !== 'none';
  return rhea.message.encode({
    message_id: system['$.mid'],
    to: system['$.to'],
    correlation_id: system['$.cid'],
    ...(system['$.uid'] !== undefined && { user_id: Buffer.from(system['$.uid']) }),
    content_type: system['$.ct'],
    content_encoding: system['$.ce'],
    absolute_expiry_time: expires,
    message_annotations: { 'iothub-deliverycount': types.wrap_ubyte(Math.min(deliveryCount, 255)) },
    application_properties: {
      ...properties,
      // The SDK for .NET would count it as a property of the sender.
      ...(isAcknowledged && { 'iothub-ack': acknowledgement }),
    },
    body: rhea.message.data_section(Buffer.from(body, 'base64')),
  } as unknown as Parameters<typeof rhea.message.encode>[0]);
}
