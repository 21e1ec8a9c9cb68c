import type { Connection } from 'rhea';
import { STANDARD_MESSAGE_FORMAT } from './encoding.ts';
import { connectionInternals } from './rhea-internals.ts';

/** Facts about the message of the current `message` event. */
export interface InboundTransfer {
  /** Size of the whole message in bytes, with the bytes that were dropped. */
  readonly size: number;
  /** Whether the sender aborted the message. */
  readonly aborted: boolean;
}

/**
 * Makes a connection deliver messages as raw bytes, with at most `limit` bytes of each. Otherwise rhea would decode
 * messages of the standard format, lose their number types, and end the connection if it cannot decode them. It would
 * also collect an endless message in memory. The returned function describes the message of the current `message`
 * event.
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
    // rhea decodes only this format. For an undefined format, it passes the bytes unchanged.
    if (performative.message_format === STANDARD_MESSAGE_FORMAT) performative.message_format = undefined;
    current = { size, aborted: performative.aborted === true };
    original(frame);
  };
  return () => current;
}
