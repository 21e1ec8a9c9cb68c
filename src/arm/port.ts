import { BerthError, type ErrorCode } from '../errors.ts';
import type { JsonObject } from '../json/json.ts';

export type ArmErrorCode = Extract<ErrorCode, `BERTH_AZURE_${string}`>;

/** A failed call of Azure Resource Manager. The message contains no secret. */
export class ArmError extends BerthError {
  declare readonly code: ArmErrorCode;
  /** Undefined if there was no answer. */
  readonly status: number | undefined;
  /** The wait that Azure asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ArmErrorCode,
    message: string,
    { status, retryAfterMs }: { readonly status?: number; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(code, message);
    this.name = 'ArmError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The part of Azure Resource Manager that Berth needs. Each method throws `ArmError` if it fails. */
export interface ArmPort {
  /** Reads a resource, or any other path. Undefined if Azure answers 404. */
  get(path: string, apiVersion: string): Promise<JsonObject | undefined>;
  /** All items of all pages of a list. */
  list(path: string, apiVersion: string, query?: string): Promise<readonly JsonObject[]>;
  /**
   * Replaces a resource, if it still has this ETag.
   *
   * @throws ArmError `BERTH_AZURE_PRECONDITION_FAILED` if another writer was first
   */
  put(path: string, apiVersion: string, body: JsonObject, etag?: string): Promise<JsonObject>;
  /** Calls an action, such as `listkeys`. */
  post(path: string, apiVersion: string): Promise<JsonObject>;
  close(): Promise<void>;
}
