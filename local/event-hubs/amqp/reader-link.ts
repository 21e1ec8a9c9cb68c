import type { Duplex } from 'node:stream';
import type { Sender } from 'rhea';
import { type AmqpError, internalError } from '../../amqp/conditions.ts';
import { giveBackCredit } from '../../amqp/credit.ts';
import { STANDARD_MESSAGE_FORMAT } from '../../amqp/encoding.ts';
import { senderInternals } from '../../amqp/rhea-internals.ts';
import type { LocalLog } from '../../log.ts';
import { encodeRuntimeMetrics } from '../message/event-message.ts';
import type { Partition } from '../partition.ts';
import type { Reader } from '../readers.ts';

/** Most events that are sent in one pass. Then other connections can send. */
const MAX_EVENTS_PER_PASS = 500;
const MAX_BYTES_A_TURN = 1024 * 1024;
/** Most bytes that wait in the stream of a slow client. Nothing more is sent until the client has read them. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export interface ReaderLinkOptions {
  readonly sender: Sender;
  readonly stream: Duplex;
  readonly partition: Partition;
  readonly name: string;
  readonly epoch: number | undefined;
  /** Sequence number of the first event. */
  readonly next: number;
  /** Whether each event carries the last position of its partition. */
  readonly runtimeMetrics: boolean;
  readonly now: () => number;
  readonly log: LocalLog;
}

/** Sends the events of a partition from a position on, as long as the client grants credit. */
export class ReaderLink implements Reader {
  readonly name: string;
  readonly epoch: number | undefined;
  readonly #options: ReaderLinkOptions;
  #next: number;
  /** Messages passed to rhea, in the counting of rhea's `delivery_count`. */
  #given = 0;
  #draining = false;
  #scheduled = false;
  #closed = false;
  #stopListening: () => void = () => {};

  constructor(options: ReaderLinkOptions) {
    this.name = options.name;
    this.epoch = options.epoch;
    this.#options = options;
    this.#next = options.next;
  }

  get next(): number {
    return this.#next;
  }

  start(): void {
    const { sender, partition } = this.#options;
    this.#stopListening = partition.onAppend(() => this.#schedule());
    sender.on('sender_flow', () => this.#schedule());
    sender.on('sendable', () => this.#schedule());
    sender.on('sender_draining', () => {
      this.#draining = true;
      this.#schedule();
    });
    this.#schedule();
  }

  disconnect(error: AmqpError): void {
    this.stop();
    this.#options.sender.close(error);
  }

  stop(): void {
    this.#closed = true;
    this.#stopListening();
  }

  /** Schedules one pass, also if several changes happen before it runs. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#trySend();
    });
  }

  /** Sends events. It catches all errors, such as a full disk when retention rewrites the log: no caller would. */
  #trySend(): void {
    try {
      this.#send();
    } catch (error) {
      this.#options.log.error(`Event Hubs: sending to the reader "${this.name}" failed. ${String(error)}`);
      this.disconnect(internalError());
    }
  }

  #send(): void {
    const { sender, stream, partition } = this.#options;
    if (stream.destroyed || !sender.is_open()) return;
    if (stream.writableLength > MAX_WAITING_BYTES) {
      // It stays scheduled until `drain`, so that it adds only one listener.
      this.#scheduled = true;
      stream.once('drain', () => {
        this.#scheduled = false;
        this.#schedule();
      });
      return;
    }
    // All frames of one pass go to the stream in one write.
    stream.cork();
    setImmediate(() => stream.uncork());
    const sent = this.#sendTurn(sender, partition);
    if (sent) this.#schedule();
    else if (this.#draining && this.#unwritten() === 0) {
      this.#draining = false;
      this.#given += giveBackCredit(sender);
    }
  }

  #sendTurn(sender: Sender, partition: Partition): boolean {
    const internals = senderInternals(sender);
    let events = Math.min(
      internals.credit - this.#unwritten(),
      internals.session.outgoing.available(),
      MAX_EVENTS_PER_PASS,
    );
    let bytes = 0;
    let sent = false;
    for (; events > 0 && bytes < MAX_BYTES_A_TURN; events -= 1) {
      const event = partition.read(this.#next);
      if (event === undefined) break;
      const parts = this.#options.runtimeMetrics
        ? [event.header, encodeRuntimeMetrics(partition.last, this.#options.now()), event.message]
        : [event.header, event.message];
      const message = Buffer.concat(parts);
      sender.send(message, undefined, STANDARD_MESSAGE_FORMAT);
      this.#given += 1;
      this.#next = event.sequenceNumber + 1;
      bytes += message.length;
      sent = true;
    }
    return sent;
  }

  /** Messages that wait in rhea. The credit still includes them. */
  #unwritten(): number {
    return this.#given - senderInternals(this.#options.sender).delivery_count;
  }
}
