import { CodedError, type ErrorKind, type ErrorOptions } from '../src/errors.ts';

/** Errors of the local stack (`npm start`, `npm run local`). Rows in `docs/errors.md`, kept in step by a test. */
export const LOCAL_ERRORS = {
  BERTH_LOCAL_PORT_TAKEN: 'user',
} as const satisfies Record<string, ErrorKind>;

export type LocalErrorCode = keyof typeof LOCAL_ERRORS;

export class LocalError extends CodedError<LocalErrorCode> {
  constructor(code: LocalErrorCode, message: string, options?: ErrorOptions) {
    super(code, LOCAL_ERRORS[code], message, options);
    this.name = 'LocalError';
  }
}
