/**
 * How much the expressions of one request, or of one look at a twin, may work: a device chooses what they read,
 * and every instance pays for it. A step is about the work of one operator: 50 to 100 ns on one core.
 * `docs/decisions/0020-the-work-of-expressions-is-bounded.md` says how the numbers were found.
 */
export const WORK_LIMITS = {
  /**
   * Steps that each expression has for itself, whatever others took: enough for every expression without a loop over
   * short texts. So a device cannot make a condition unknown that reads little.
   */
  own: 200,
  /** Steps of one expression. */
  expression: 25_000,
  /** Steps that all expressions of a request may take beyond those that each has for itself. */
  request: 50_000,
  /** UTF-8 bytes of a text: neither a section of a twin nor an answer to a device holds a longer one. */
  textBytes: 32 * 1024,
  /** Items of a list, in the source and at run time. */
  items: 1_000,
} as const;

/** The expression has taken all the steps that it may take. */
export class TooMuchWork extends Error {}

/** One for all: it is thrown over and over until the expression has ended. */
const TOO_MUCH_WORK = new TooMuchWork('too much work');

/** Stands for a text or a list that is too long to be read; an expression that reads one is unknown. */
export class TooLarge {
  readonly kind = 'too large';
}

/** Why an expression is unknown that reads what is too large. */
export const TOO_LARGE = `a text of more than ${WORK_LIMITS.textBytes / 1024} KB, or a list of more than ${WORK_LIMITS.items} items`;

/** Counts the steps of one request, or of one look at a twin: there is one for each of them. */
export class ExpressionWork {
  /** All steps taken so far. */
  steps = 0;
  /** True: the expression that runs has taken all the steps that it may take, so it is unknown. */
  isSpent = false;
  #shared = 0;
  #own = 0;
  #limit = 0;

  /** Begins with an expression. */
  begin(): void {
    this.#own = 0;
    this.#limit = Math.min(WORK_LIMITS.expression, WORK_LIMITS.own + WORK_LIMITS.request - this.#shared);
    this.isSpent = false;
  }

  /** Ends with the expression that was begun last. */
  end(): void {
    this.steps += this.#own;
    this.#shared += Math.max(0, this.#own - WORK_LIMITS.own);
  }

  /**
   * Takes steps, before the work is done.
   *
   * @throws TooMuchWork where the expression may take no more.
   */
  take(steps: number): void {
    if (this.isSpent || this.#own + steps > this.#limit) {
      this.isSpent = true;
      throw TOO_MUCH_WORK;
    }
    this.#own += steps;
  }

  /** Takes steps for what is done already, such as an error that was made. */
  note(steps: number): void {
    this.#own = Math.min(this.#own + steps, this.#limit);
    if (this.#own === this.#limit) this.isSpent = true;
  }
}

/** Whether a text is longer than expressions read. */
export function isTooLongText(text: string): boolean {
  // A UTF-16 unit takes one to three bytes.
  if (text.length > WORK_LIMITS.textBytes) return true;
  return text.length * 3 > WORK_LIMITS.textBytes && Buffer.byteLength(text, 'utf8') > WORK_LIMITS.textBytes;
}
