import { BerthError, type ErrorCode } from '../errors.ts';
import type { JsonObject } from '../json/json.ts';

/**
 * Milliseconds after which a call is given up. DPS answers in well under a second; a page of a thousand enrollments
 * takes longer.
 */
export const DPS_DEADLINE_MS = 20_000;

export type EnrollmentKind = 'group' | 'individual';

/** An enrollment as DPS answers it: without keys, and with the query of its webhook's URL masked. */
export interface EnrollmentRecord {
  readonly kind: EnrollmentKind;
  readonly id: string;
  readonly etag: string;
  /** The record whole, in DPS's own form. */
  readonly json: JsonObject;
}

/** What `berth enroll` needs of the service API of DPS. Every method throws `DpsError` for whatever goes wrong. */
export interface DpsPort {
  readonly host: string;
  /** All of a kind, however many pages there are. */
  list(kind: EnrollmentKind): Promise<readonly EnrollmentRecord[]>;
  /** The attestation with its secrets. It is for comparing and for sending back, never for showing. */
  mechanism(kind: EnrollmentKind, id: string): Promise<JsonObject>;
  /**
   * Replaces the enrollment whole, only if the etag is still its own; without an etag creates it, only if it is not
   * there. Either way somebody else's write is `BERTH_DPS_PRECONDITION_FAILED`.
   */
  put(
    kind: EnrollmentKind,
    id: string,
    json: JsonObject,
    etag: string | undefined,
  ): Promise<EnrollmentRecord>;
  delete(kind: EnrollmentKind, id: string, etag: string): Promise<void>;
  close(): Promise<void>;
}

/** A CA certificate that DPS keeps under a name. */
export interface CaCertificate {
  readonly name: string;
  readonly etag: string;
  readonly isVerified: boolean;
  /** SHA-1, as Azure shows it. */
  readonly thumbprint: string;
}

/** DPS's CA certificates, which Azure Resource Manager manages and not DPS itself. */
export interface CaCertificates {
  /** Undefined: there is none of this name. */
  get(name: string): Promise<CaCertificate | undefined>;
  /** Uploads it; it must be verified anew then. */
  upload(name: string, pem: string, etag: string | undefined): Promise<CaCertificate>;
  /** The code that a certificate signed by it must carry as its common name. */
  challenge(
    name: string,
    etag: string,
  ): Promise<{ readonly certificate: CaCertificate; readonly code: string }>;
  /** Shows DPS the certificate that was signed. */
  verify(name: string, proof: string, etag: string): Promise<CaCertificate>;
  close(): Promise<void>;
}

export type DpsErrorCode = Extract<ErrorCode, `BERTH_DPS_${string}`>;

/** A failed call to DPS. Holds no headers and no body of the request: both may carry a key. */
export class DpsError extends BerthError {
  declare readonly code: DpsErrorCode;
  readonly status: number | undefined;

  constructor(code: DpsErrorCode, message: string, status?: number) {
    super(code, message);
    this.name = 'DpsError';
    this.status = status;
  }
}
