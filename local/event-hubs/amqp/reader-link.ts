import type { Socket } from 'node:net';
import type { Sender } from 'rhea';
import type { LocalLog } from '../../log.ts';
import { type AmqpError, internalError } from '../conditions.ts';
import { STANDARD_MESSAGE_FORMAT } from '../message/encoding.ts';
import { encodeRuntimeMetrics } from '../message/event-message.ts';
import type { Partition } from '../partition.ts';
import type { Reader } from '../readers.ts';
import { giveBackCredit } from './credit.ts';
import { senderInternals } from './rhea-internals.ts';

/** What is sent before the data of other connections. */
const MAX_EVENTS_A_TURN = 500;
const MAX_BYTES_A_TURN = 1024 * 1024;
/** Bytes that wait for a slow client's socket; until it has taken them, nothing more is sent. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export interface ReaderLinkOptions {
  readonly sender: Sender;
  readonly socket: Socket;
  readonly partition: Partition;
  readonly name: string;
  readonly epoch: number | undefined;
  /** Sequence number of the first event. */
  readonly next: number;
  /** Say with each event how far the partition has come. */
  readonly runtimeMetrics: boolean;
  readonly now: () => number;
  readonly log: LocalLog;
}

/** Sends the events of a partition, from a position on, as fast as the client grants credit. */
export class ReaderLink implements Reader {
  readonly name: string;
  readonly epoch: number | undefined;
  readonly #options: ReaderLinkOptions;
  #next: number;
  /** Messages given to rhea, counted as rhea counts those that it wrote. */
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

  /** Once a turn, however much has happened. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#trySend();
    });
  }

  /**
   * Nobody above would catch what is thrown here, such as a full disk while retention writes the log anew.
   */
  #trySend(): void {
    try {
      this.#send();
    } catch (error) {
      this.#options.log.error(`Event Hubs: the reader "${this.name}" could not be served. ${String(error)}`);
      this.disconnect(internalError());
    }
  }

  #send(): void {
    const { sender, socket, partition } = this.#options;
    if (socket.destroyed || !sender.is_open()) return;
    if (socket.writableLength > MAX_WAITING_BYTES) {
      // Stays scheduled until then, so that it waits once only.
      this.#scheduled = true;
      socket.once('drain', () => {
        this.#scheduled = false;
        this.#schedule();
      });
      return;
    }
    // The frames of one turn go to the socket together.
    socket.cork();
    setImmediate(() => socket.uncork());
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
      MAX_EVENTS_A_TURN,
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

  /** Messages that wait in rhea: credit still counts them. */
  #unwritten(): number {
    return this.#given - senderInternals(this.#options.sender).delivery_count;
  }
}
