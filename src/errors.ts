/**
 * Every error a user of the functions can meet. `docs/errors.md` has a row for each; `test/errors.test.ts` keeps the two
 * in step.
 *
 * - `user`: fix the input. - `transient`: it will be tried again. - `defect`: a bug in Berth.
 */
export type ErrorKind = 'user' | 'transient' | 'defect';

/** One problem inside a larger input: where it is and what to do about it. */
export interface ErrorDetail {
  readonly path: string;
  readonly message: string;
}

export interface ErrorOptions {
  readonly details?: readonly ErrorDetail[];
  readonly cause?: unknown;
}

/** Base of all coded errors; `catalog` is the table that says which kind each code is. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code;
  readonly kind: ErrorKind;
  readonly details: readonly ErrorDetail[];

  constructor(code: Code, kind: ErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.kind = kind;
    this.details = options.details ?? [];
  }
}
