import type { Duplex } from 'node:stream';
import rhea, { type Connection, type Delivery, type Sender, type Session } from 'rhea';
import type { SaslMechanism } from './sasl.ts';
import type { Performative } from './whole-frames.ts';

/** Messages that rhea keeps for one session until they are settled, and frames after which a session waits. */
export const MAX_OUTGOING = 2_048;

/**
 * The members of rhea 3.0.5 that the server uses and that are not in its types. Check them when you update rhea.
 */
interface ConnectionInternals {
  /** Serves an accepted socket (used by rhea's own `listen`). */
  accept(socket: Duplex): void;
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
  readonly sasl_transport:
    | { readonly selected: { readonly mechanism?: SaslMechanism } | undefined }
    | undefined;
  /** Encodes a frame. Without a performative, it is an empty frame. */
  _write_frame(channel: number, performative?: Performative, payload?: Buffer): void;
  on_transfer(frame: TransferFrame): void;
  on_disposition(frame: DispositionFrame): void;
}

export interface DispositionFrame {
  readonly performative: { readonly first: number; last: number | null | undefined };
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

/** A message to a client. */
interface OutgoingInternals {
  /** Whether the client has settled it. rhea forgets a message when both sides have. */
  remote_settled: boolean;
  update(settled: boolean, state: unknown): void;
}

interface LinkInternals {
  /** The attach frame of the client. */
  readonly remote: { readonly attach: Performative };
  /** The attach frame that is sent in the next tick. */
  readonly local: {
    readonly attach: Performative & {
      max_message_size: number | undefined;
      offered_capabilities: string | undefined;
      snd_settle_mode: number | undefined;
    };
  };
}

interface SessionInternals {
  /** The begin frame that is sent in the next tick. */
  readonly local: { readonly begin: { handle_max: number } };
}

export function connectionInternals(connection: Connection): ConnectionInternals {
  return connection as unknown as ConnectionInternals;
}

export function sessionInternals(session: Session): SessionInternals {
  return session as unknown as SessionInternals;
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

export function outgoingInternals(delivery: Delivery): OutgoingInternals {
  return delivery as unknown as OutgoingInternals;
}

interface OutcomeStates {
  accepted(): { described(): unknown };
  rejected(fields: { readonly error: object }): { described(): unknown };
}

/** The states that a disposition frame carries. */
export function outcomeStates(): OutcomeStates {
  return rhea.message as unknown as OutcomeStates;
}
