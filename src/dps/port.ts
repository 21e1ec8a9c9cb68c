import { BerthError, type ErrorCode } from '../errors.ts';
import type { JsonObject } from '../json/json.ts';

/**
 * Timeout of a call, in milliseconds. DPS usually answers in less than a second; a page of a thousand
 * enrollments takes longer.
 */
export const DPS_DEADLINE_MS = 20_000;

export type EnrollmentKind = 'group' | 'individual';

/** An enrollment as DPS returns it: without keys, and with a masked query in the URL of its webhook. */
export interface EnrollmentRecord {
  readonly kind: EnrollmentKind;
  readonly id: string;
  readonly etag: string;
  /** The complete record, as DPS returned it. */
  readonly json: JsonObject;
}

/** The registration record of a device: what DPS remembers of its last registration. */
export interface RegistrationRecord {
  /** Not case-sensitive. The id of the device in its hub may differ. */
  readonly registrationId: string;
  /** The id in the hub. Undefined: the record names no device, as after a failed registration. */
  readonly deviceId: string | undefined;
  /** The assigned hub by its linked host name, classic or device. Undefined: the record names no hub. */
  readonly assignedHub: string | undefined;
  /** `unassigned`, `assigning`, `assigned`, `failed` or `disabled`. */
  readonly status: string;
  /** `lastUpdatedDateTimeUtc`, as DPS writes it. It changes with each registration. */
  readonly updatedAt: string;
}

/**
 * The part of the service API of DPS that Berth's commands need. Every method throws `DpsError` if it fails.
 */
export interface DpsPort {
  readonly host: string;
  /** All enrollments of a kind, from all pages. */
  list(kind: EnrollmentKind): Promise<readonly EnrollmentRecord[]>;
  /** The attestation with its secrets, only to compare and to send back: never show it. */
  mechanism(kind: EnrollmentKind, id: string): Promise<JsonObject>;
  /**
   * With an etag, replaces the enrollment if it still has this etag. Without one, creates the enrollment if
   * it does not exist. If another writer was first, it throws `BERTH_DPS_PRECONDITION_FAILED`.
   */
  put(
    kind: EnrollmentKind,
    id: string,
    json: JsonObject,
    etag: string | undefined,
  ): Promise<EnrollmentRecord>;
  delete(kind: EnrollmentKind, id: string, etag: string): Promise<void>;
  /**
   * The records of the devices that registered through an enrollment group, page by page.
   *
   * @param groupId the id of the group.
   */
  registrations(groupId: string): AsyncGenerator<readonly RegistrationRecord[]>;
  /** The record of one registration id. Undefined: DPS has none. */
  registration(registrationId: string): Promise<RegistrationRecord | undefined>;
  close(): Promise<void>;
}

/** A CA certificate in DPS. */
export interface CaCertificate {
  readonly name: string;
  readonly etag: string;
  readonly isVerified: boolean;
  /** SHA-1, as Azure shows it. */
  readonly thumbprint: string;
}

/** The CA certificates of a DPS. Azure Resource Manager manages them, not the service API. */
export interface CaCertificates {
  /** Undefined if there is no certificate of this name. */
  get(name: string): Promise<CaCertificate | undefined>;
  /** Uploads a certificate, which must then be verified. */
  upload(name: string, pem: string, etag: string | undefined): Promise<CaCertificate>;
  /** Requests a verification code: the common name of a certificate that this CA must sign. */
  challenge(name: string, etag: string): Promise<string>;
  /** Sends the signed verification certificate to DPS. */
  verify(name: string, proof: string, etag: string): Promise<CaCertificate>;
  close(): Promise<void>;
}

export type DpsErrorCode = Extract<ErrorCode, `BERTH_DPS_${string}`>;

/**
 * A failed call to DPS. It contains no headers and no body of the request, because both may contain a key.
 */
export class DpsError extends BerthError {
  declare readonly code: DpsErrorCode;
  readonly status: number | undefined;

  constructor(code: DpsErrorCode, message: string, status?: number) {
    super(code, message);
    this.name = 'DpsError';
    this.status = status;
  }
}
