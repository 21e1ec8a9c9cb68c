import rhea, { type Sender } from 'rhea';
import { giveBackCredit } from './credit.ts';
import { STANDARD_MESSAGE_FORMAT } from './encoding.ts';
import { guardedLater } from './guarded.ts';
import { messageIdsIn } from './message-ids.ts';

/** An answer of `$cbs` or `$management`. */
export interface NodeResponse {
  /** An HTTP status. */
  readonly status: number;
  readonly description: string;
  /** The AMQP error condition, if any. */
  readonly condition?: string;
  readonly body?: unknown;
}

/** The parts of a request to `$cbs` or `$management` that are used. */
export interface NodeRequest {
  readonly properties: Readonly<Record<string, unknown>>;
  /** As rhea writes it unchanged. */
  readonly messageId: unknown;
  readonly replyTo: unknown;
  /** The value of its body, such as a token. */
  readonly body: unknown;
}

/** Most answers that wait for credit on each link. A client that does not read its answers loses the oldest. */
const MAX_WAITING = 100;

/**
 * Reads a request.
 *
 * @throws MalformedMessageError
 */
export function readRequest(bytes: Buffer): NodeRequest {
  const { messageId } = messageIdsIn(bytes);
  const message = rhea.message.decode(bytes);
  return {
    properties: message.application_properties ?? {},
    messageId,
    replyTo: message.reply_to,
    body: message.body,
  };
}

/** The links on which one connection receives the answers of one node. */
export class ResponseLinks {
  readonly #waiting = new Map<Sender, Buffer[]>();

  add(sender: Sender): void {
    this.#waiting.set(sender, []);
    sender.on('sendable', () => this.#flush(sender));
    sender.on('sender_draining', () => giveBackCredit(sender));
    sender.on('sender_close', () => this.#waiting.delete(sender));
  }

  /**
   * Sends an answer when the link has credit.
   *
   * `reply-to` names the target address of the link ($management, .NET) or the link itself ($cbs of the
   * JavaScript SDK).
   */
  answer(request: NodeRequest, response: NodeResponse): void {
    // A session can end without closing its links.
    const senders = [...this.#waiting.keys()].filter((sender) => sender.is_open());
    const sender =
      senders.find(({ target, name }) => request.replyTo === target?.address || request.replyTo === name) ??
      senders[0];
    if (sender === undefined) return;
    const waiting = this.#waiting.get(sender);
    waiting?.push(encode(request, response));
    if (waiting !== undefined && waiting.length > MAX_WAITING) waiting.shift();
    this.#flush(sender);
  }

  /**
   * Sends one answer at a time. `sendable` includes a sent message only one tick later, and a message without credit
   * would block all other links of its session.
   */
  #flush(sender: Sender): void {
    const waiting = this.#waiting.get(sender);
    if (waiting === undefined || !sender.sendable()) return;
    const message = waiting.shift();
    if (message === undefined) return;
    sender.send(message, undefined, STANDARD_MESSAGE_FORMAT);
    if (waiting.length > 0) guardedLater(sender, () => this.#flush(sender));
  }
}

/** The types must not change: the .NET SDK casts the status to `int` and the condition to a symbol. */
function encode(request: NodeRequest, response: NodeResponse): Buffer {
  const { status, description, condition, body } = response;
  return rhea.message.encode({
    correlation_id: request.messageId as string,
    ...(typeof request.replyTo === 'string' ? { to: request.replyTo } : {}),
    application_properties: {
      'status-code': rhea.types.wrap_int(status),
      'status-description': description,
      ...(condition === undefined ? {} : { 'error-condition': rhea.types.wrap_symbol(condition) }),
    },
    body,
  });
}
