import { CodedError, type ErrorKind, type ErrorOptions } from '../src/errors.ts';

/**
 * Errors of the local stack (`npm start`, `npm run local`). A test compares them with the rows of `docs/errors.md`.
 */
export const LOCAL_ERRORS = {
  BERTH_LOCAL_ENROLLMENT_INVALID: 'user',
  BERTH_LOCAL_FLEET_INVALID: 'user',
  BERTH_LOCAL_CONFIGURATION_INVALID: 'user',
  BERTH_LOCAL_DEVICE_ENROLLMENT: 'user',
  BERTH_LOCAL_PORT_TAKEN: 'user',
  BERTH_LOCAL_PORT_REFUSED: 'user',
  BERTH_LOCAL_CA_FILE: 'user',
  BERTH_LOCAL_STATE_IN_USE: 'user',
  BERTH_LOCAL_STATE_FOREIGN: 'user',
  BERTH_LOCAL_STATE_UNUSABLE: 'user',
  BERTH_LOCAL_STATE_DAMAGED: 'user',
  BERTH_LOCAL_STATE_FORMAT: 'user',
  BERTH_LOCAL_AZURITE_FAILED: 'user',
  BERTH_LOCAL_FUNCTIONS_MISSING: 'user',
  BERTH_LOCAL_NOT_CLOSED: 'transient',
  BERTH_LOCAL_NOT_FOUND: 'user',
  BERTH_LOCAL_NOT_IN_HUB: 'user',
  BERTH_LOCAL_REQUEST_INVALID: 'user',
  BERTH_LOCAL_REQUEST_FOREIGN: 'user',
  BERTH_LOCAL_COMMAND_FAILED: 'user',
  BERTH_LOCAL_DEFECT: 'defect',
  BERTH_LOCAL_EVENT_HUBS_OPTIONS: 'user',
  BERTH_LOCAL_EVENT_HUBS_CLOSED: 'transient',
  BERTH_LOCAL_EVENT_HUB_UNKNOWN: 'user',
  BERTH_LOCAL_EVENT_LOG_UNREADABLE: 'user',
  BERTH_LOCAL_EVENT_TOO_LARGE: 'user',
  BERTH_LOCAL_APP_MISSING: 'user',
  BERTH_LOCAL_APP_FILE: 'user',
  BERTH_LOCAL_APP_BROKEN: 'user',
  BERTH_LOCAL_FUNCTION_HOST_OPTIONS: 'user',
} as const satisfies Record<string, ErrorKind>;

export type LocalErrorCode = keyof typeof LOCAL_ERRORS;

export class LocalError extends CodedError<LocalErrorCode> {
  constructor(code: LocalErrorCode, message: string, options?: ErrorOptions) {
    super(code, LOCAL_ERRORS[code], message, options);
    this.name = 'LocalError';
  }
}

/** The message for a feature of Azure that the local stack does not have. @example 'Jobs are not in the local hub. [BERTH_…]' */
export function notHere(sentence: string): string {
  const code: LocalErrorCode = 'BERTH_LOCAL_NOT_IN_HUB';
  return `${sentence} [${code}]`;
}
