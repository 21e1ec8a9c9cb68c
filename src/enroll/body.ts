import type { EnrollmentRecord } from '../dps/port.ts';
import { withKey } from '../dps/webhook-url.ts';
import { isObject, type JsonObject } from '../json/json.ts';
import type { Certificate, WantedAttestation, WantedEnrollment } from './wanted.ts';

/** Fields that DPS sets. Every answer contains them; Berth never sends them. */
const READ_ONLY = ['etag', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc', 'registrationState'] as const;
/** Fields that the file defines. Berth keeps all other fields of a record. */
const OF_THE_FILE = [
  'deviceId',
  'attestation',
  'provisioningStatus',
  'allocationPolicy',
  'iotHubs',
  'iotHubHostName',
  'reprovisionPolicy',
  'initialTwin',
  'capabilities',
  'customAllocationDefinition',
] as const;

export interface BodyInput {
  readonly wanted: WantedEnrollment;
  /** Undefined if the enrollment is created. */
  readonly record: EnrollmentRecord | undefined;
  /**
   * The attestation of the record with its keys, to keep the keys: DPS generates new ones if none are sent.
   */
  readonly mechanism: JsonObject | undefined;
  /** Required by the custom policy. */
  readonly webhookKey: string | undefined;
}

/** The complete body of a PUT, which replaces the whole enrollment. It contains secrets: never show it. */
export function bodyOf({ wanted, record, mechanism, webhookKey }: BodyInput): JsonObject {
  const { terms, webhook, attestation } = wanted;
  const rest = record === undefined ? {} : without(record.json, [...READ_ONLY, ...OF_THE_FILE]);
  const hasTwin = Object.keys(terms.tags).length + Object.keys(terms.desired).length > 0;
  return {
    ...rest,
    ...(terms.deviceId !== undefined && { deviceId: terms.deviceId }),
    attestation: attestationBody(attestation, mechanism),
    provisioningStatus: terms.enabled ? 'enabled' : 'disabled',
    allocationPolicy: terms.allocationPolicy,
    ...(terms.iotHubs.length > 0 && { iotHubs: terms.iotHubs }),
    reprovisionPolicy: {
      updateHubAssignment: terms.reprovisioning !== 'never',
      migrateDeviceData: terms.reprovisioning === 'migrate',
    },
    ...(hasTwin && { initialTwin: { tags: terms.tags, properties: { desired: terms.desired } } }),
    capabilities: { iotEdge: terms.iotEdge },
    ...(webhook !== undefined &&
      webhookKey !== undefined && {
        customAllocationDefinition: {
          webhookUrl: withKey(webhook.url, webhookKey),
          apiVersion: webhook.apiVersion,
        },
      }),
  };
}

/** The unchanged record with another function key. It contains secrets: never show it. */
export function bodyWithKey(
  { json }: EnrollmentRecord,
  url: string,
  key: string,
  mechanism: JsonObject | undefined,
): JsonObject {
  const definition = isObject(json.customAllocationDefinition) ? json.customAllocationDefinition : {};
  return {
    ...without(json, READ_ONLY),
    ...(mechanism !== undefined && { attestation: mechanism }),
    customAllocationDefinition: { ...definition, webhookUrl: withKey(url, key) },
  };
}

/** Whether the attestation has keys that an update must contain. */
export function hasKeys({ json }: EnrollmentRecord): boolean {
  return isObject(json.attestation) && json.attestation.type === 'symmetricKey';
}

function attestationBody(attestation: WantedAttestation, mechanism: JsonObject | undefined): JsonObject {
  switch (attestation.type) {
    case 'symmetricKey':
      if (attestation.keys !== undefined)
        return { type: 'symmetricKey', symmetricKey: { ...attestation.keys } };
      return mechanism?.type === 'symmetricKey' ? mechanism : { type: 'symmetricKey' };
    case 'tpm':
      return { type: 'tpm', tpm: { endorsementKey: attestation.endorsementKey } };
    case 'x509': {
      if (attestation.field === 'caReferences') {
        const [primary = '', secondary] = attestation.names;
        return {
          type: 'x509',
          x509: { caReferences: { primary, ...(secondary !== undefined && { secondary }) } },
        };
      }
      const { primary, secondary } = attestation;
      const certificates = {
        primary: certificateBody(primary),
        ...(secondary !== undefined && { secondary: certificateBody(secondary) }),
      };
      return { type: 'x509', x509: { [attestation.field]: certificates } };
    }
  }
}

function certificateBody({ pem }: Certificate): JsonObject {
  return { certificate: pem };
}

function without(json: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([name]) => !names.includes(name)));
}
