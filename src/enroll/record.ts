import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';

/** The hubs that an enrollment names; empty: all linked hubs. */
export function hubsOf({ iotHubs, iotHubHostName }: JsonObject): readonly string[] {
  if (Array.isArray(iotHubs)) return iotHubs.map(String);
  return typeof iotHubHostName === 'string' && iotHubHostName !== '' ? [iotHubHostName] : [];
}

/** The names of the portal. An enrollment without a policy migrates (concepts-device-reprovision). */
export function reprovisioningOf(policy: JsonValue | undefined): 'migrate' | 'never' | 'reset' {
  if (!isObject(policy)) return 'migrate';
  if (policy.updateHubAssignment !== true) return 'never';
  return policy.migrateDeviceData === true ? 'migrate' : 'reset';
}

/** A twin section without the keys that services add: `$version`, `$metadata`. */
export function withoutMarks(section: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(section).filter(([key]) => !key.startsWith('$')));
}

/** The kind of attestation of a record, such as `x509 caReferences`. */
export function recordedKind(attestation: JsonObject): string {
  const type = textAt(attestation.type) || 'nothing';
  if (type !== 'x509') return type;
  const x509 = memberObject(attestation, 'x509');
  const field = ['clientCertificates', 'signingCertificates', 'caReferences'].find((name) =>
    Object.values(memberObject(x509, name)).some((value) => value !== null && value !== ''),
  );
  return `x509 ${field ?? 'nothing'}`;
}

/** SHA-256 of a certificate, as DPS shows it. */
export function thumbprintOf(certificate: JsonObject): string {
  return textAt(memberObject(certificate, 'info').sha256Thumbprint);
}

/** The object at a key; empty if there is none. */
export function memberObject(json: JsonObject, key: string): JsonObject {
  const value = json[key];
  return isObject(value) ? value : {};
}

/** A text; empty for any other value. */
export function textAt(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
