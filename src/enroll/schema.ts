import * as z from 'zod';
import { HEARTBEAT_DEVICE, isReservedDeviceId } from '../iot-hub/heartbeat-device.ts';
import { HOST_NAME } from '../iot-hub/host-name.ts';
import { twinProblems } from '../iot-hub/twin-limits.ts';
import type { JsonObject } from '../json/json.ts';

/**
 * The schema of `enrollments.json`. `references.ts` checks that the parts of a file fit together.
 * `enrollments.schema.json` is generated from this schema; a test compares the two.
 *
 * No field contains a secret: the file names the environment variables that contain the keys.
 */

/** Ids of groups and registrations: concepts-service.md. */
const ID = /^[A-Za-z0-9\-._:]{0,127}[A-Za-z0-9-]$/;
const WRITE_ID =
  'write at most 128 letters, digits, "-", ".", "_" or ":"; the last must be a letter, a digit or "-"';
/** Ids of devices: iot-hub-devguide-identity-registry. */
const DEVICE_ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}$/;

const id = z.string().regex(ID, WRITE_ID);

/** Only capitals, so that a key written here by mistake is not accepted and shown as a name. */
const variable = z
  .string()
  .regex(
    /^[A-Z_][A-Z0-9_]{0,63}$/,
    'write the name of an environment variable that contains the key, in capitals; never write the key itself',
  );

const path = z.string().min(1).max(1_024);

const host = z.string().regex(HOST_NAME, 'write the full host name, such as contoso-weu.azure-devices.net');

const URL_RULE =
  'write https://APP.azurewebsites.net/api/allocate without a query: the key comes from BERTH_WEBHOOK_KEY';
/** Names that need no quoting in a shell. */
const KEY_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
const webhook = z
  .strictObject({
    url: z
      .string()
      .refine(isWebhookUrl, URL_RULE)
      .describe(
        'URL of the webhook, without the function key. The key comes from the environment variable that keyFrom names.',
      ),
    keyFrom: variable
      .optional()
      .describe(
        'Environment variable with the function key of this URL. Default: BERTH_WEBHOOK_KEY. Each URL has its own key.',
      ),
    keyName: z
      .string()
      .regex(KEY_NAME, 'write the name of the key in the app: letters, digits and "-", such as dps-2026')
      .refine(
        (name) => name.toLowerCase() !== 'default',
        'is a name that the host makes: write another, such as dps-2026',
      )
      .optional()
      .describe(
        'Name of the key of the function allocateDevice. The deployment scripts read the key by this name, and make it in apps that lack it. Default: berth.',
      ),
    apps: z
      .array(
        z
          .string()
          .refine(
            (text) => isWebhookUrl(text) && new URL(text).pathname === '/',
            'write the address of an app without a path, such as https://APP.azurewebsites.net',
          ),
      )
      .min(1)
      .max(20)
      .optional()
      .describe(
        'Apps that answer behind this URL, such as those behind Front Door. Default: the app of the URL.',
      ),
    apiVersion: z
      .string()
      .regex(/^\d{4}-\d\d-\d\d(-preview)?$/, 'write a version such as 2021-10-01')
      .default('2021-10-01')
      .describe('API version of the enrollment that DPS sends to the webhook'),
  })
  .describe('The webhook that DPS calls if allocationPolicy is "custom"');

/**
 * Whether the URL is https, or http on this machine. Query, user and fragment are not allowed: they may
 * contain the key.
 */
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
    .describe('Environment variable with the primary key. Without it, DPS generates the keys.'),
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
            'Files with certificates of the CA or intermediate that signs the device certificates, in PEM or DER',
          ),
        caReferences: z
          .strictObject({ primary: id, secondary: id.optional() })
          .optional()
          .describe('Names of verified CA certificates in DPS. Upload them with "berth enroll certificate".'),
      }),
    ],
    { error: ATTESTATION_OF_GROUPS },
  )
  .describe('How the devices of the group prove their identity');

const individualAttestation = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({
        ...symmetricKey,
        derivedFrom: variable
          .optional()
          .describe(
            'Environment variable with the primary key of a group. The key of this device is derived from it.',
          ),
        secondaryDerivedFrom: variable
          .optional()
          .describe('Environment variable with the secondary key of the group'),
      }),
      z.strictObject({
        type: z.literal('x509'),
        clientCertificates: certificates.describe('Files with the certificates of the device, in PEM or DER'),
      }),
      z.strictObject({
        type: z.literal('tpm'),
        endorsementKeyFrom: variable.optional().describe('Environment variable with the endorsement key'),
        endorsementKeyFile: path.optional().describe('File with the endorsement key in base64'),
      }),
    ],
    { error: 'write symmetricKey, x509 or tpm' },
  )
  .describe('How the device proves its identity');

const section = (name: 'tags' | 'desired') =>
  z.record(z.string(), z.json()).superRefine((value, context) => {
    for (const problem of twinProblems(name, value as JsonObject)) {
      context.addIssue({ code: 'custom', path: [...problem.path], message: problem.message });
    }
  });

const terms = {
  enabled: z.boolean().default(true).describe('Whether devices may register. If false, DPS refuses them.'),
  allocationPolicy: z
    .enum(['custom', 'hashed', 'geoLatency', 'static'])
    .default('custom')
    .describe('How DPS chooses the hub. "custom" calls the webhook; the others are policies of DPS.'),
  webhook: webhook
    .optional()
    .describe('Webhook of this enrollment. Default: the webhook at the top level of the file.'),
  iotHubs: z
    .array(host)
    .max(50)
    .default([])
    .describe('Hubs that devices may get, by the host names of their links. Empty: all linked hubs.'),
  reprovisioning: z
    .enum(['migrate', 'reset', 'never'])
    .default('migrate')
    .describe(
      'What happens when a device registers again and gets another hub. "migrate" moves its twin, "reset" gives it the initial twin, "never" keeps its hub.',
    ),
  initialTwin: z
    .strictObject({ tags: section('tags').optional(), desired: section('desired').optional() })
    .optional(),
  capabilities: z.strictObject({ iotEdge: z.boolean() }).default({ iotEdge: false }),
};

const group = z.strictObject({
  id: id.describe('Id of the enrollment group (enrollmentGroupId)'),
  attestation: groupAttestation,
  ...terms,
});
const RESERVED = `write another id: Berth reserves ${HEARTBEAT_DEVICE} on each hub`;
const isFree = (deviceId: string): boolean => !isReservedDeviceId(deviceId);

const individual = z.strictObject({
  registrationId: id.refine(isFree, RESERVED),
  deviceId: z
    .string()
    .regex(DEVICE_ID, 'write at most 128 characters that IoT Hub allows in device ids')
    .refine(isFree, RESERVED)
    .optional()
    .describe('Device id in the hub. Default: the registration id.'),
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
