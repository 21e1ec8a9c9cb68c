import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { isObject } from '../../src/json/json.ts';

/** A deletion in the journal. */
export interface Deleted {
  readonly deleted: string;
}

const object = z.custom<object>(isObject);
const time = z.string();
const id = z.string().min(1);
const pem = z.string().refine(isCertificate);

const registration = z.looseObject({
  registrationId: id,
  enrollmentId: z.string(),
  attestation: z.enum(['symmetricKey', 'x509', 'tpm']),
  status: z.enum(['assigned', 'failed', 'disabled']),
  substatus: z.string().optional(),
  assignment: z.looseObject({ host: id, deviceId: id }).optional(),
  payload: object.optional(),
  failure: z.looseObject({ code: z.int(), message: z.string() }).optional(),
  etag: z.string(),
  createdDateTimeUtc: time,
  lastUpdatedDateTimeUtc: time,
});

const attestation = z.union([
  z.looseObject({ type: z.literal('symmetricKey'), primaryKey: z.string(), secondaryKey: z.string() }),
  z.looseObject({ type: z.literal('x509'), certificates: z.array(pem) }),
  z.looseObject({ type: z.literal('x509'), caReferences: z.array(z.string()) }),
  z.looseObject({ type: z.literal('tpm'), endorsementKey: z.string() }),
]);

const terms = {
  attestation,
  capabilities: z.looseObject({ iotEdge: z.boolean() }).optional(),
  initialTwin: z
    .looseObject({
      tags: object.optional(),
      properties: z.looseObject({ desired: object.optional() }).optional(),
    })
    .optional(),
  provisioningStatus: z.enum(['enabled', 'disabled']).optional(),
  reprovisionPolicy: z
    .looseObject({ updateHubAssignment: z.boolean(), migrateDeviceData: z.boolean() })
    .optional(),
  allocationPolicy: z.enum(['hashed', 'geoLatency', 'static', 'custom']).optional(),
  iotHubs: z.array(z.string()).optional(),
  customAllocationDefinition: z.looseObject({ webhookUrl: z.string(), apiVersion: z.string() }).optional(),
  etag: z.string(),
  createdDateTimeUtc: time,
  lastUpdatedDateTimeUtc: time,
};
const group = z.looseObject({ ...terms, enrollmentGroupId: id });
const individual = z.looseObject({
  ...terms,
  registrationId: id,
  deviceId: z.string().optional(),
  optionalDeviceInformation: object.optional(),
});

const certificate = z.looseObject({
  name: id,
  certificate: pem,
  isVerified: z.boolean(),
  verificationCode: z.string().optional(),
  etag: z.string(),
  created: time,
  updated: time,
});

const deleted = z.looseObject({ deleted: id });
const forgotten = z.looseObject({ forgotten: id });

/** Checks a line of the registrations and returns it unchanged. @throws ZodError if Berth cannot have written it. */
export function readStoredRegistration<Line>(record: unknown): Line {
  (has(record, 'forgotten') ? forgotten : registration).parse(record);
  return record as Line;
}

/** Checks a line of the enrollments and returns it unchanged. @throws ZodError if Berth cannot have written it. */
export function readStoredEnrollment<Line>(record: unknown): Line {
  if (has(record, 'deleted')) deleted.parse(record);
  else (has(record, 'enrollmentGroupId') ? group : individual).parse(record);
  return record as Line;
}

/** Checks a line of the CA certificates and returns it unchanged. @throws ZodError if Berth cannot have written it. */
export function readStoredCertificate<Line>(record: unknown): Line {
  (has(record, 'deleted') ? deleted : certificate).parse(record);
  return record as Line;
}

function has(record: unknown, key: string): boolean {
  return isObject(record) && Object.hasOwn(record, key);
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}
