import rhea, { type Sender } from 'rhea';
import { type AmqpError, amqpError, Outbox, type Outcome } from '../../../amqp/index.ts';
import type { LocalHub } from '../../hub/hub.ts';
import type { Address } from '../../model/address.ts';
import type { CloudMessage } from '../../model/cloud-message.ts';
import {
  abandonMessage,
  completeMessage,
  lockNextMessage,
  rejectMessage,
  unlockMessages,
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
  const held = new Set<string>();
  const outbox = new Outbox(sender, true, deliver);

  function deliver(): void {
    while (outbox.hasCredit) {
      const locked = lockNextMessage(hub, address);
      if (locked === undefined) return;
      const { message, token } = locked;
      held.add(token);
      outbox.send({
        message: encode(message),
        tag: rhea.string_to_uuid(token),
        settled: (outcome) => settle(message, token, outcome),
      });
    }
  }

  function settle(message: CloudMessage, token: string, outcome: Outcome): AmqpError | undefined {
    held.delete(token);
    if (hub.messageLocks.release(address, token) === undefined) {
      return amqpError('com.microsoft:message-lock-lost', 'The lock of the message is lost.');
    }
    if (outcome === 'accepted') completeMessage(hub, address, message);
    else if (outcome === 'rejected') rejectMessage(hub, address, message);
    else abandonMessage(hub, address, message);
    return undefined;
  }

  return {
    deliver,
    closed: () => unlockMessages(hub, address, held),
  };
}

const { types } = rhea;

/** The types must not change: the SDK for .NET takes a byte, an unsigned long and a time (MessageConverter.cs). */
function encode(message: CloudMessage): Buffer {
  const { body, system, properties, expires, deliveryCount, sequenceNumber, enqueuedAt } = message;
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
    message_annotations: {
      'iothub-deliverycount': types.wrap_ubyte(Math.min(deliveryCount, 255)),
      ...(sequenceNumber !== undefined && { 'x-opt-sequence-number': types.wrap_ulong(sequenceNumber) }),
      ...(enqueuedAt !== undefined && { 'iothub-enqueuedtime': types.wrap_timestamp(enqueuedAt) }),
    },
    application_properties: {
      ...properties,
      // The SDK for .NET would count it as a property of the sender.
      ...(isAcknowledged && { 'iothub-ack': acknowledgement }),
    },
    body: rhea.message.data_section(Buffer.from(body, 'base64')),
  } as unknown as Parameters<typeof rhea.message.encode>[0]);
}
