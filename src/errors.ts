export type ErrorKind = 'user' | 'transient' | 'defect';

/**
 * Every error of the functions and of the `berth` command: its kind, the HTTP status if the functions return
 * it, and the exit code if only the command returns it. `docs/errors.md` has a row for each;
 * `test/errors.test.ts` compares the two.
 *
 * - `user`: the operator must correct the input.
 * - `transient`: a retry can succeed.
 * - `defect`: a bug in Berth.
 */
export const ERRORS = {
  BERTH_REQUEST_TOO_LARGE: { kind: 'user', status: 400 },
  BERTH_REQUEST_NOT_JSON: { kind: 'user', status: 400 },
  BERTH_REQUEST_INVALID: { kind: 'user', status: 400 },
  BERTH_REGISTRATION_DENIED: { kind: 'user', status: 400 },
  BERTH_DEVICE_RESERVED: { kind: 'user', status: 400 },
  BERTH_INPUT_MISSING: { kind: 'user', status: 400 },
  BERTH_NO_HUB_QUALIFIES: { kind: 'user', status: 400 },
  BERTH_NO_HUB_NOW: { kind: 'transient', status: 503 },
  BERTH_PARENT_UNKNOWN: { kind: 'transient', status: 503 },
  BERTH_FLEET_INVALID: { kind: 'user', status: 503 },
  BERTH_DEVICE_UNKNOWN: { kind: 'user', status: 404 },
  BERTH_DEAD_LETTER_UNKNOWN: { kind: 'user', status: 404 },
  BERTH_FILE_UNKNOWN: { kind: 'user', status: 404 },
  BERTH_SETTING_INVALID: { kind: 'user', status: 503 },
  BERTH_STORE_UNAVAILABLE: { kind: 'transient', status: 503 },
  BERTH_FORMAT_NEWER: { kind: 'transient', status: 503 },
  BERTH_DEFECT: { kind: 'defect', status: 503 },

  BERTH_ARGUMENT_INVALID: { kind: 'user', exit: 1 },
  BERTH_FILE_UNREADABLE: { kind: 'user', exit: 1 },
  BERTH_PROJECT_EXISTS: { kind: 'user', exit: 1 },
  BERTH_FLEET_NOT_DEPLOYABLE: { kind: 'user', exit: 1 },
  BERTH_DEVICES_INVALID: { kind: 'user', exit: 1 },
  BERTH_HUB_NOT_DRAINING: { kind: 'user', exit: 1 },
  BERTH_HUB_UNKNOWN: { kind: 'user', exit: 1 },
  BERTH_POLICY_UNKNOWN: { kind: 'user', exit: 1 },
  BERTH_ROLLOUT_REFUSED: { kind: 'user', exit: 1 },
  BERTH_APPROVAL_REFUSED: { kind: 'user', exit: 1 },
  BERTH_TOO_MANY_MOVES: { kind: 'user', exit: 1 },
  BERTH_TOO_MANY_WRITES: { kind: 'user', exit: 1 },
  BERTH_ENROLLMENTS_INVALID: { kind: 'user', exit: 1 },
  BERTH_ENROLLMENTS_UNFINISHED: { kind: 'transient', exit: 1 },
  BERTH_EXPORT_INVALID: { kind: 'user', exit: 1 },
  BERTH_STATE_NOT_EMPTY: { kind: 'user', exit: 1 },
  BERTH_STATE_OTHER_STAMP: { kind: 'user', exit: 1 },
  BERTH_STATE_CHANGED: { kind: 'transient', exit: 1 },
  BERTH_DEVICE_EXISTS: { kind: 'user', exit: 1 },
  BERTH_DEVICE_DISABLED: { kind: 'user', exit: 1 },
  BERTH_DRAIN_NOWHERE: { kind: 'user', exit: 1 },
  BERTH_DRAIN_RUNNING: { kind: 'transient', exit: 1 },
  BERTH_DRAIN_STOPPED: { kind: 'user', exit: 1 },
  BERTH_DRAIN_UNFINISHED: { kind: 'transient', exit: 1 },
  BERTH_WEBHOOK_KEY_REFUSED: { kind: 'user', exit: 1 },
  BERTH_WEBHOOK_UNREACHABLE: { kind: 'transient', exit: 1 },

  BERTH_DPS_REFUSED: { kind: 'user', exit: 1 },
  BERTH_DPS_UNAUTHORIZED: { kind: 'user', exit: 1 },
  BERTH_DPS_NOT_FOUND: { kind: 'user', exit: 1 },
  BERTH_DPS_PRECONDITION_FAILED: { kind: 'transient', exit: 1 },
  BERTH_DPS_THROTTLED: { kind: 'transient', exit: 1 },
  BERTH_DPS_TIMEOUT: { kind: 'transient', exit: 1 },
  BERTH_DPS_UNAVAILABLE: { kind: 'transient', exit: 1 },

  BERTH_AZURE_REFUSED: { kind: 'user', exit: 1 },
  BERTH_AZURE_UNAUTHORIZED: { kind: 'user', exit: 1 },
  BERTH_AZURE_NOT_FOUND: { kind: 'user', exit: 1 },
  BERTH_AZURE_PRECONDITION_FAILED: { kind: 'transient', exit: 1 },
  BERTH_AZURE_THROTTLED: { kind: 'transient', exit: 1 },
  BERTH_AZURE_TIMEOUT: { kind: 'transient', exit: 1 },
  BERTH_AZURE_UNAVAILABLE: { kind: 'transient', exit: 1 },
  BERTH_CONNECTIONS_UNKNOWN: { kind: 'user', exit: 1 },
  BERTH_CONNECT_REFUSED: { kind: 'user', exit: 1 },
  BERTH_CONNECT_FEATURE_UNKNOWN: { kind: 'user', exit: 1 },
  BERTH_CONNECT_CHANGED_ELSEWHERE: { kind: 'user', exit: 1 },
  BERTH_CONNECT_UNFINISHED: { kind: 'transient', exit: 1 },

  BERTH_EVENT_NOT_JSON: { kind: 'user' },
  BERTH_EVENT_NO_IDENTITY: { kind: 'user' },
  BERTH_EVENT_TOO_LARGE: { kind: 'user' },
  BERTH_EVENT_INVALID: { kind: 'user' },
  BERTH_DEAD_LETTERS_CAPPED: { kind: 'user' },

  BERTH_METRICS_NOT_SENT: { kind: 'transient' },
  BERTH_POLICY_REJECTED: { kind: 'user' },
  BERTH_ROLLOUT_FAILED: { kind: 'user' },
  BERTH_ROLLOUT_NEEDS_APPROVAL: { kind: 'user' },
  BERTH_PREVIOUS_CONTENT_MISSING: { kind: 'user' },
  BERTH_EDGE_VALUE_UNKNOWN: { kind: 'user' },
  BERTH_EDGE_MODULE_MISSING: { kind: 'user' },
  BERTH_EDGE_MANIFEST_INVALID: { kind: 'user' },
  BERTH_EDGE_SETTING_MISSING: { kind: 'user' },
  BERTH_EDGE_MANIFEST_REFUSED: { kind: 'user' },
  BERTH_EDGE_UNAUTHORIZED: { kind: 'user' },
  BERTH_PARENT_NOT_ENTERED: { kind: 'user' },
  BERTH_PARENT_UNAUTHORIZED: { kind: 'user' },
  BERTH_MOVE_UNAUTHORIZED: { kind: 'user' },
  BERTH_EXPORT_FAILED: { kind: 'transient' },
  BERTH_SNAPSHOT_MISMATCH: { kind: 'defect' },
  BERTH_HUB_UNTRUSTED: { kind: 'user' },
  BERTH_HUB_SILENT: { kind: 'user' },
  BERTH_HUB_LATE: { kind: 'transient' },
  BERTH_TRIGGER_STOPPED: { kind: 'user' },
  BERTH_READER_UNKNOWN: { kind: 'user' },

  BERTH_HUB_REFUSED: { kind: 'defect' },
  BERTH_HUB_UNAUTHORIZED: { kind: 'user' },
  BERTH_HUB_NOT_FOUND: { kind: 'user' },
  BERTH_HUB_PRECONDITION_FAILED: { kind: 'transient' },
  BERTH_HUB_QUOTA_EXCEEDED: { kind: 'transient' },
  BERTH_HUB_THROTTLED: { kind: 'transient' },
  BERTH_HUB_TIMEOUT: { kind: 'transient' },
  BERTH_HUB_UNAVAILABLE: { kind: 'transient' },
} as const satisfies Readonly<
  Record<string, { readonly kind: ErrorKind; readonly status?: number; readonly exit?: number }>
>;

export type ErrorCode = keyof typeof ERRORS;

/** One problem in a larger input: its path, and what is wrong and how to correct it. */
export interface ErrorDetail {
  readonly path: string;
  readonly message: string;
}

export interface ErrorOptions {
  readonly details?: readonly ErrorDetail[];
  readonly cause?: unknown;
}

/** Base of all coded errors. */
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

/**
 * An error of the functions or of the command. The message names the offending value and never contains a
 * secret.
 */
export class BerthError extends CodedError<ErrorCode> {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(code, ERRORS[code].kind, message, options);
    this.name = 'BerthError';
  }
}

/** Names of this machine. */
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * The sentence for a service at which nothing listens; on this machine it is one of the local stack.
 *
 * @param url any address of the service. Only host and port are repeated.
 */
export function nothingAnswers(url: string): string {
  const { host, hostname } = new URL(url);
  return LOOPBACK.has(hostname)
    ? `Nothing answers at ${host}: run npm start.`
    : `Nothing answers at ${host}. Check the name and the network.`;
}
