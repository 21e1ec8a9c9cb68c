import type { Socket } from 'node:net';
import type { Connection, Delivery, Sender } from 'rhea';

/**
 * The members of rhea 3.0.5 that the server uses and that are not in its types. Check them when you update rhea.
 */
interface ConnectionInternals {
  /** Serves an accepted socket (used by rhea's own `listen`). */
  accept(socket: Socket): void;
  /** Stops the timers of the connection. rhea calls it only on the socket's `end`. */
  eof(): void;
  /** Reads data from the socket. */
  input(chunk: Buffer): void;
  /** Schedules `_process` for the next tick. */
  _register(): void;
  /**
   * Creates and writes all pending frames. It runs in `process.nextTick`, outside rhea's try blocks.
   */
  _process(): void;
  /** Writes pending frames and restarts the timer of empty frames. */
  output(): void;
  /** The channels of the client, with the handles of its links. */
  readonly remote_channel_map: Readonly<
    Record<number, { readonly remote: { readonly handles: Readonly<Record<number, object>> } }>
  >;
  /** The SASL layer, with the mechanism that the client chose; without SASL, it has selected another layer. */
  readonly sasl_transport: { readonly selected: { readonly mechanism?: unknown } | undefined } | undefined;
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
  /** Messages that the peer still accepts. It decreases when a message is written, not in `send`. */
  credit: number;
  /** Messages written on this link. */
  delivery_count: number;
  readonly session: { readonly outgoing: { available(): number } };
}

interface DeliveryInternals {
  settled: boolean;
}

interface LinkInternals {
  /** The attach frame that is sent in the next tick. */
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
