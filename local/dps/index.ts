/**
 * The local Device Provisioning Service: enrollments, the runtime API for devices, and the call of a
 * custom-allocation webhook with DPS's requests, retries and error codes. The decisions are pure functions in
 * `registration/allocation.ts` and `registration/reprovisioning.ts`.
 */

export { createDps, type Dps, type DpsOptions } from './dps.ts';
export type {
  AllocationPolicy,
  Attestation,
  Enrollment,
  EnrollmentGroup,
  EnrollmentReprovisionPolicy,
  IndividualEnrollment,
} from './enrollments/enrollment.ts';
export type { DpsLinkedHub } from './enrollments/linked-hub.ts';
export { deriveDeviceKey } from './registration/attestation.ts';
export type { Registration } from './registration/registration.ts';
export {
  createWebhookCall,
  RETRY_WAITS_MS,
  type WebhookCall,
  type WebhookResponse,
} from './registration/webhook.ts';
