import type { Delivery, EventContext, Sender } from 'rhea';
import type { AmqpError } from './conditions.ts';
import { giveBackCredit } from './credit.ts';
import { STANDARD_MESSAGE_FORMAT } from './encoding.ts';
import { guardedLater } from './guarded.ts';
import { linkInternals, senderInternals } from './rhea-internals.ts';
import { answerOutcome } from './settlement.ts';

/** What the client has done with a message. `released`: it wants the message again, now or later. */
export type Outcome = 'accepted' | 'rejected' | 'released';

export interface OutboxMessage {
  /** Encoded. */
  readonly message: Buffer;
  /** The delivery tag; absent: a number. */
  readonly tag?: Buffer;
  /**
   * Called once when the client has told what it did with the message, or with `accepted` when it is sent, if the client
   * wants settled messages. It is not called if the link ends before. Returns the reason why the outcome does not count.
   */
  readonly settled?: (outcome: Outcome) => AmqpError | undefined;
}

/** Most messages that wait for credit. A client that grants no credit loses the oldest. */
const MAX_WAITING = 1_000;
/** `snd-settle-mode` of an attach frame (OASIS AMQP 1.0, part 2, section 2.8.2). */
const SETTLED = 1;
const UNSETTLED = 0;

/** A link on which the client receives messages. It sends only as many as the client has granted credit for. */
export class Outbox {
  readonly #sender: Sender;
  readonly #waiting: OutboxMessage[] = [];
  readonly #unsettled = new Map<Delivery, NonNullable<OutboxMessage['settled']>>();
  readonly #onCredit: () => void;
  /** Messages passed to rhea, in the counting of rhea's `delivery_count`. */
  #given = 0;
  #draining = false;
  #scheduled = false;

  /**
   * @param settles whether the client settles messages. If it asks for settled messages, it settles none.
   * @param onCredit called when the client grants credit and no message waits.
   */
  constructor(sender: Sender, settles = false, onCredit: () => void = () => {}) {
    this.#sender = sender;
    this.#onCredit = onCredit;
    sender.set_source({ address: sender.source.address });
    if (settles && sender.snd_settle_mode !== SETTLED) {
      linkInternals(sender).local.attach.snd_settle_mode = UNSETTLED;
    }
    sender.on('sender_flow', () => this.#schedule());
    sender.on('sendable', () => this.#schedule());
    sender.on('sender_draining', () => {
      this.#draining = true;
      this.#schedule();
    });
    for (const outcome of ['accepted', 'rejected', 'released'] as const) {
      sender.on(outcome, ({ delivery }: EventContext) => delivery && this.#settle(delivery, outcome));
    }
    // A client that settles without an outcome has not processed the message.
    sender.on('settled', ({ delivery }: EventContext) => delivery && this.#settle(delivery, 'released'));
  }

  /** Whether the client has granted credit for one more message. */
  get hasCredit(): boolean {
    return senderInternals(this.#sender).credit - this.#unwritten() > this.#waiting.length;
  }

  /** Sends a message as soon as the client grants credit. */
  send(message: OutboxMessage): void {
    this.#waiting.push(message);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#schedule();
  }

  /** Schedules one pass, also if several changes happen before it runs. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    guardedLater(this.#sender, () => {
      this.#scheduled = false;
      if (this.#sender.is_open()) this.#flush();
    });
  }

  #flush(): void {
    const internals = senderInternals(this.#sender);
    let room = Math.min(internals.credit - this.#unwritten(), internals.session.outgoing.available());
    for (; room > 0; room -= 1) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      const delivery = this.#sender.send(next.message, next.tag, STANDARD_MESSAGE_FORMAT);
      this.#given += 1;
      if (linkInternals(this.#sender).local.attach.snd_settle_mode !== SETTLED) {
        this.#unsettled.set(delivery, next.settled ?? (() => undefined));
      } else next.settled?.('accepted');
    }
    if (this.hasCredit) this.#onCredit();
    if (this.#draining && this.#waiting.length === 0 && this.#unwritten() === 0) {
      this.#draining = false;
      this.#given += giveBackCredit(this.#sender);
    }
  }

  #settle(delivery: Delivery, outcome: Outcome): void {
    const settled = this.#unsettled.get(delivery);
    this.#unsettled.delete(delivery);
    if (settled === undefined) return;
    const refusal = settled(outcome);
    answerOutcome(delivery, refusal);
    this.#schedule();
  }

  /** Messages that wait in rhea. The credit still includes them. */
  #unwritten(): number {
    return this.#given - senderInternals(this.#sender).delivery_count;
  }
}
