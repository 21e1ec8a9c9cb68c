import * as z from 'zod';
import { HOST_NAME } from '../iot-hub/host-name.ts';
import { twinProblems } from '../iot-hub/twin-limits.ts';
import type { JsonObject } from '../json/json.ts';

/**
 * The shape of `enrollments.json`, field by field. What one part says about another is checked in `references.ts`.
 * `enrollments.schema.json` is generated from here; a test keeps the two equal.
 *
 * No field takes a secret: keys are named by the environment variable that holds them.
 */

/** Ids of groups and registrations: concepts-service.md. */
const ID = /^[A-Za-z0-9\-._:]{0,127}[A-Za-z0-9-]$/;
const WRITE_ID = 'write at most 128 letters, digits, "-", ".", "_" or ":", the last a letter, a digit or "-"';
/** Ids of devices: iot-hub-devguide-identity-registry. */
const DEVICE_ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}$/;

const id = z.string().regex(ID, WRITE_ID);

/** Capitals only: a key that somebody writes here would pass as a name otherwise, and be repeated as one. */
const variable = z
  .string()
  .regex(
    /^[A-Z_][A-Z0-9_]{0,63}$/,
    'write the name of an environment variable that holds the key, in capitals, never the key itself',
  );

const path = z.string().min(1).max(1_024);

const host = z.string().regex(HOST_NAME, 'write the full host name, such as contoso-weu.azure-devices.net');

const URL_RULE =
  'write https://APP.azurewebsites.net/api/allocate without a query: the key comes from BERTH_WEBHOOK_KEY';
const webhook = z
  .strictObject({
    url: z
      .string()
      .refine(isWebhookUrl, URL_RULE)
      .describe('Where DPS asks, without the function key, which comes from BERTH_WEBHOOK_KEY'),
    apiVersion: z
      .string()
      .regex(/^\d{4}-\d\d-\d\d(-preview)?$/, 'write a version such as 2021-10-01')
      .default('2021-10-01')
      .describe('Shape of the enrollment that DPS sends to the webhook'),
  })
  .describe('Whom DPS asks under the policy custom');

/** https, or http on this machine; no query, no user, no fragment: each could hold the key. */
export function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isLocal = protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return (
    (protocol === 'https:' || isLocal) &&
    `${username}${password}${search}${hash}` === '' &&
    !/[?#]/.test(text)
  );
}

const symmetricKey = {
  type: z.literal('symmetricKey'),
  primaryKeyFrom: variable
    .optional()
    .describe('Environment variable with the primary key; absent: DPS makes the keys'),
  secondaryKeyFrom: variable.optional().describe('Environment variable with the secondary key'),
};
const certificates = z.strictObject({ primary: path, secondary: path.optional() });

const ATTESTATION_OF_GROUPS = 'write symmetricKey or x509 (a TPM is for individual enrollments)';
const groupAttestation = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject(symmetricKey),
      z.strictObject({
        type: z.literal('x509'),
        signingCertificates: certificates
          .optional()
          .describe(
            'Files with the certificates of the CA or intermediate that signs the devices’, PEM or DER',
          ),
        caReferences: z
          .strictObject({ primary: id, secondary: id.optional() })
          .optional()
          .describe('Names of CA certificates that DPS keeps and has verified: berth enroll certificate'),
      }),
    ],
    { error: ATTESTATION_OF_GROUPS },
  )
  .describe('How devices prove who they are');

const individualAttestation = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({
        ...symmetricKey,
        derivedFrom: variable
          .optional()
          .describe(
            'Environment variable with the primary key of a group, from which the key of this device is derived',
          ),
        secondaryDerivedFrom: variable.optional().describe('The same for the secondary key'),
      }),
      z.strictObject({
        type: z.literal('x509'),
        clientCertificates: certificates.describe('Files with the device’s own certificates, PEM or DER'),
      }),
      z.strictObject({
        type: z.literal('tpm'),
        endorsementKeyFrom: variable.optional().describe('Environment variable with the endorsement key'),
        endorsementKeyFile: path.optional().describe('File with the endorsement key, base64'),
      }),
    ],
    { error: 'write symmetricKey, x509 or tpm' },
  )
  .describe('How the device proves who it is');

const section = (name: 'tags' | 'desired') =>
  z.record(z.string(), z.json()).superRefine((value, context) => {
    for (const problem of twinProblems(name, value as JsonObject)) {
      context.addIssue({ code: 'custom', path: [...problem.path], message: problem.message });
    }
  });

const terms = {
  enabled: z.boolean().default(true).describe('false: its devices are refused'),
  allocationPolicy: z
    .enum(['custom', 'hashed', 'geoLatency', 'static'])
    .default('custom')
    .describe('custom: DPS asks the webhook'),
  webhook: webhook.optional().describe('For this enrollment; absent: the one at the top of the file'),
  iotHubs: z
    .array(host)
    .max(50)
    .default([])
    .describe('Hubs to choose from, by the names by which they are linked; empty: all that are linked'),
  reprovisioning: z
    .enum(['migrate', 'reset', 'never'])
    .default('migrate')
    .describe('What happens to the twin when a device registers again and changes hub; never: it stays'),
  initialTwin: z
    .strictObject({ tags: section('tags').optional(), desired: section('desired').optional() })
    .optional(),
  capabilities: z.strictObject({ iotEdge: z.boolean() }).default({ iotEdge: false }),
};

const group = z.strictObject({
  id: id.describe('enrollmentGroupId'),
  attestation: groupAttestation,
  ...terms,
});
const individual = z.strictObject({
  registrationId: id,
  deviceId: z
    .string()
    .regex(DEVICE_ID, 'write at most 128 characters that IoT Hub allows in device ids')
    .optional()
    .describe('Default: the registration id'),
  attestation: individualAttestation,
  ...terms,
});

export const enrollmentsFileSchema = z.strictObject({
  $schema: z.string().optional(),
  webhook: webhook.optional(),
  groups: z.array(group).max(200).default([]),
  individuals: z.array(individual).max(10_000).default([]),
});

/** The file with defaults filled in. */
export type EnrollmentsFile = z.output<typeof enrollmentsFileSchema>;
export type GroupFile = EnrollmentsFile['groups'][number];
export type IndividualFile = EnrollmentsFile['individuals'][number];
export type WebhookFile = NonNullable<EnrollmentsFile['webhook']>;

/** The JSON schema for editors, as `enrollments.schema.json` holds it. */
export function enrollmentsJsonSchema(): object {
  return {
    title: 'Berth enrollments file',
    ...z.toJSONSchema(enrollmentsFileSchema, { io: 'input', target: 'draft-7' }),
  };
}
