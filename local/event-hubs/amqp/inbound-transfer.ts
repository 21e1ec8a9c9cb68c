import type { Connection } from 'rhea';
import { STANDARD_MESSAGE_FORMAT } from '../message/encoding.ts';
import { connectionInternals } from './rhea-internals.ts';

/** What is known of the message that is being handed over, besides its bytes. */
export interface InboundTransfer {
  /** Bytes of the whole message, also of those that were thrown away. */
  readonly size: number;
  /** The sender gave the message up in the middle. */
  readonly aborted: boolean;
}

/**
 * Makes a connection hand over messages as the bytes that came, and keep no more than `limit` bytes of each:
 * rhea would decode messages of the standard format (which loses number types and, when they cannot be
 * decoded, ends the connection), and would gather a message without end in memory. The function that is
 * returned tells about the message of the `message` event that is being handled.
 */
export function watchInboundTransfers(connection: Connection, limit: number): () => InboundTransfer {
  const internals = connectionInternals(connection);
  const original = internals.on_transfer.bind(connection);
  const sizes = new WeakMap<object, number>();
  let current: InboundTransfer = { size: 0, aborted: false };

  internals.on_transfer = (frame) => {
    const { performative, channel } = frame;
    const link = internals.remote_channel_map[channel]?.remote.handles[performative.handle];
    const before = (link && sizes.get(link)) ?? 0;
    const size = before + (frame.payload?.length ?? 0);
    if (size > limit && before > 0) frame.payload = undefined;
    if (link !== undefined) sizes.set(link, performative.more === true ? size : 0);
    // rhea decodes this format only; without one it passes the bytes on.
    if (performative.message_format === STANDARD_MESSAGE_FORMAT) performative.message_format = undefined;
    current = { size, aborted: performative.aborted === true };
    original(frame);
  };
  return () => current;
}
