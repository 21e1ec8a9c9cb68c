import type { Socket } from 'node:net';
import type { Connection, Delivery, Sender } from 'rhea';

/**
 * The members of rhea 3.0.5 that its types leave out and that the server needs, all in one place: look here
 * first when rhea is updated.
 */
interface ConnectionInternals {
  /** Serves an accepted socket (used by rhea's own `listen`). */
  accept(socket: Socket): void;
  /** Ends the connection's timers; rhea calls it on the socket's `end` only. */
  eof(): void;
  /** Reads what came from the socket. */
  input(chunk: Buffer): void;
  /** Asks for `_process` in the next tick. */
  _register(): void;
  /**
   * Makes frames of what is due and writes them. Runs in `process.nextTick`, outside any of rhea's try
   * blocks.
   */
  _process(): void;
  /** Writes pending frames and restarts the timer of empty frames. */
  output(): void;
  /** The client's channels, and the handles of its links in each. */
  readonly remote_channel_map: Readonly<
    Record<number, { readonly remote: { readonly handles: Readonly<Record<number, object>> } }>
  >;
  on_transfer(frame: TransferFrame): void;
  on_disposition(frame: unknown): void;
}

export interface TransferFrame {
  readonly channel: number;
  readonly performative: {
    readonly handle: number;
    readonly more: boolean | null | undefined;
    readonly aborted: boolean | null | undefined;
    message_format: number | null | undefined;
  };
  payload?: Buffer | undefined;
}

interface SenderInternals {
  /** Messages the peer still takes; it counts down when a message is written, not in `send`. */
  credit: number;
  /** Messages written on this link. */
  delivery_count: number;
  readonly session: { readonly outgoing: { available(): number } };
}

interface DeliveryInternals {
  settled: boolean;
}

interface LinkInternals {
  /** The attach that is sent in the next tick. */
  readonly local: {
    readonly attach: { max_message_size: number | undefined; offered_capabilities: string | undefined };
  };
}

export function connectionInternals(connection: Connection): ConnectionInternals {
  return connection as unknown as ConnectionInternals;
}

export function senderInternals(sender: Sender): SenderInternals {
  return sender as unknown as SenderInternals;
}

export function linkInternals(link: object): LinkInternals {
  return link as LinkInternals;
}

export function deliveryInternals(delivery: Delivery): DeliveryInternals {
  return delivery;
}
