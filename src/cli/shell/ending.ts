import { systemTime } from '../../time/epoch-ms.ts';

/** The signals that end a command in order, and the exit codes that shells give them. */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type EndingSignal = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as readonly EndingSignal[];

/** npx passes Ctrl-C on, and a shell repeats SIGHUP, so one end may arrive as two signals. */
const SAME_END_MS = 1_000;

/**
 * Ends a command in order: at the first Ctrl-C, SIGTERM or SIGHUP (the terminal was closed), `signal` is aborted. A second Ctrl-C or SIGTERM
 * ends the process at once.
 */
export class Ending {
  readonly #controller = new AbortController();
  readonly #given: AbortSignal | undefined;
  #exitCode: number = EXIT_CODES.SIGINT;
  #endedAt = Number.NaN;
  readonly #listeners = SIGNALS.map((name) => [name, () => this.#onSignal(name)] as const);

  /** @param given ends the command in place of signals. */
  constructor(given: AbortSignal | undefined) {
    this.#given = given;
  }

  get signal(): AbortSignal {
    return this.#given ?? this.#controller.signal;
  }

  /** The exit code of a command that was ended. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** From now on, a signal no longer ends the process at once. */
  begin(): void {
    if (this.#given !== undefined) return;
    for (const [name, listener] of this.#listeners) process.on(name, listener);
  }

  end(): void {
    for (const [name, listener] of this.#listeners) process.removeListener(name, listener);
  }

  #onSignal(name: EndingSignal): void {
    if (!this.#controller.signal.aborted) {
      this.#exitCode = EXIT_CODES[name];
      this.#endedAt = systemTime();
      this.#controller.abort();
    } else if (name !== 'SIGHUP' && systemTime() - this.#endedAt > SAME_END_MS) {
      process.exit(EXIT_CODES[name]);
    }
  }
}
