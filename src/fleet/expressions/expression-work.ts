/**
 * Limits of the work of expressions, for one request or one reconcile of a twin. A device chooses the inputs,
 * so it could otherwise overload an instance. One step is about the work of one operator: 50 to 100 ns on one
 * core. `docs/decisions/0020-the-work-of-expressions-is-bounded.md` explains the numbers.
 */
export const WORK_LIMITS = {
  /**
   * Steps that each expression has for itself at least, whatever other expressions used. `expression-reserve.ts` gives
   * more to an expression that can need more on short inputs, so that a device cannot make such a condition unknown.
   */
  own: 200,
  /** Steps of one expression. */
  expression: 25_000,
  /** Steps that all expressions of a request share, in addition to those that each has for itself. */
  request: 50_000,
  /** UTF-8 bytes of a text. No section of a twin and no answer to a device contains a longer text. */
  textBytes: 32 * 1024,
  /** Items of a list, in the source and at run time. */
  items: 1_000,
} as const;

/** The expression has used all its steps. */
export class TooMuchWork extends Error {}

/** One shared error, because it is thrown many times until the expression ends. */
const TOO_MUCH_WORK = new TooMuchWork('too much work');

/** Replaces a text or a list that is too large. An expression that reads it is unknown. */
export class TooLarge {
  readonly kind = 'too large';
}

/** Stands at a path whose value is not known, because a receipt does not have it. What reads it is unknown, `has()` too. */
export class NotKnown extends TooLarge {}

/** The reason of an expression that read such a path. */
export const NOT_IN_RECEIPT = 'the receipt does not contain the value';

/** The reason of an expression that is unknown because it read a value that is too large. */
export const TOO_LARGE = `a text of more than ${WORK_LIMITS.textBytes / 1024} KB, or a list of more than ${WORK_LIMITS.items} items`;

/** Counts the steps of one request, or of one reconcile of a twin. Each has its own instance. */
export class ExpressionWork {
  /** All steps used so far. */
  steps = 0;
  /** True if the present expression has used all its steps, so that it is unknown. */
  isSpent = false;
  #shared = 0;
  #used = 0;
  #reserve = 0;
  #limit = 0;

  /**
   * Starts an expression.
   *
   * @param reserve steps that the expression has for itself
   */
  begin(reserve: number): void {
    this.#used = 0;
    this.#reserve = reserve;
    this.#limit = Math.min(WORK_LIMITS.expression, reserve + WORK_LIMITS.request - this.#shared);
    this.isSpent = false;
  }

  /** Ends the present expression. */
  end(): void {
    this.steps += this.#used;
    this.#shared += Math.max(0, this.#used - this.#reserve);
  }

  /**
   * Takes steps, before the work is done.
   *
   * @throws TooMuchWork if the expression has not enough steps left
   */
  take(steps: number): void {
    if (this.isSpent || this.#used + steps > this.#limit) {
      this.isSpent = true;
      throw TOO_MUCH_WORK;
    }
    this.#used += steps;
  }

  /** Takes steps for work that is already done, such as creating an error. */
  note(steps: number): void {
    this.#used = Math.min(this.#used + steps, this.#limit);
    if (this.#used === this.#limit) this.isSpent = true;
  }
}

/** Whether a text is too long for expressions. */
export function isTooLongText(text: string): boolean {
  // A UTF-16 unit takes one to three bytes.
  if (text.length > WORK_LIMITS.textBytes) return true;
  return text.length * 3 > WORK_LIMITS.textBytes && Buffer.byteLength(text, 'utf8') > WORK_LIMITS.textBytes;
}
