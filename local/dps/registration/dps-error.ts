import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../../src/json/json.ts';

/**
 * Refusals of requests, with HTTP status and code. Codes are documented or captured; other refusals have the general
 * code of their status.
 */
export const DPS_REFUSALS = {
  invalidArgument: { status: 400, code: 400004 },
  /** The `payload` of a registration is not a JSON object (concepts-custom-allocation.md wants an object). */
  invalidPayload: { status: 400, code: 400012 },
  unauthorized: { status: 401, code: 401002 },
  notFound: { status: 404, code: 404201 },
  notAllowed: { status: 405, code: 405001 },
  conflict: { status: 409, code: 409001 },
  preconditionFailed: { status: 412, code: 412001 },
  tooLarge: { status: 413, code: 413001 },
  tooManyRequests: { status: 429, code: 429001 },
  /** Not in Azure: the local DPS does not have this feature. */
  notInLocalDps: { status: 501, code: 501000 },
  /** A device with a TPM has no enrollment (404201 in the e2e tests of azure-iot-sdk-csharp). */
  notEnrolled: { status: 404, code: 404201 },
  tpmKeyUnknown: { status: 400, code: 400004 },
} as const;

export type DpsRefusal = keyof typeof DPS_REFUSALS;

/**
 * Failures of accepted registrations (tutorial-custom-allocation-policies.md; the numbers are also in the C SDK).
 */
export const REGISTRATION_FAILURES = {
  noHub: 400004,
  customAllocationFailed: 400207,
  customAllocationHubNotSpecified: 400208,
  customAllocationUnauthorized: 400209,
} as const;

export interface RegistrationFailure {
  readonly code: (typeof REGISTRATION_FAILURES)[keyof typeof REGISTRATION_FAILURES];
  readonly message: string;
}

/** The body of a refusal. */
export function refusalBody(refusal: DpsRefusal, message: string, now: number): JsonObject {
  return {
    errorCode: DPS_REFUSALS[refusal].code,
    trackingId: randomUUID(),
    message,
    timestampUtc: new Date(now).toISOString(),
  };
}
