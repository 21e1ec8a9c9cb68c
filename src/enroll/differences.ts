import type { EnrollmentRecord } from '../dps/port.ts';
import { carriesKey, isSameWebhook, withoutKey } from '../dps/webhook-url.ts';
import { isHostName, NOT_A_HOST_NAME } from '../iot-hub/host-name.ts';
import { canonicalJson, type JsonObject, type JsonValue, sameJson } from '../json/json.ts';
import {
  hubsOf,
  memberObject,
  recordedKind,
  reprovisioningOf,
  textAt,
  thumbprintOf,
  withoutMarks,
} from './record.ts';
import type { PlanKey, WantedAttestation, WantedEnrollment } from './wanted.ts';
import { keyVariableOf } from './webhooks.ts';

/** A field that differs from the file. The texts never contain a key, so they can be shown. */
export interface EnrollmentDifference {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** Secrets that the record does not contain. */
export interface Secrets {
  /** The attestation of the record with its keys; undefined if not read: its keys then count as equal. */
  readonly mechanism: JsonObject | undefined;
  /** The function key of the webhook; undefined if unknown: it then counts as equal. */
  readonly webhookKey: string | undefined;
}

const NOTHING = 'nothing';

/** The fields that differ from the file; empty if none does. A key that is not known counts as equal. */
export function differencesOf(
  wanted: WantedEnrollment<PlanKey>,
  { json }: Pick<EnrollmentRecord, 'json'>,
  secrets: Secrets,
): readonly EnrollmentDifference[] {
  const { terms, webhook, id } = wanted;
  const definition = memberObject(json, 'customAllocationDefinition');
  const twin = memberObject(json, 'initialTwin');
  const found: EnrollmentDifference[] = [
    ...attestationDifferences(wanted.attestation, memberObject(json, 'attestation'), secrets.mechanism),
  ];
  const compare = (field: string, from: string, to: string, isSame = from === to): void => {
    if (!isSame) found.push({ field, from, to });
  };
  if (wanted.kind === 'individual') compare('deviceId', textAt(json.deviceId) || id, terms.deviceId ?? id);
  compare('enabled', String(json.provisioningStatus !== 'disabled'), String(terms.enabled));
  compare('allocationPolicy', textAt(json.allocationPolicy) || 'hashed', terms.allocationPolicy);
  compare('iotHubs', listed(hubsOf(json)), listed(terms.iotHubs));
  compare('reprovisioning', reprovisioningOf(json.reprovisionPolicy), terms.reprovisioning);
  compareTwin('initialTwin.tags', memberObject(twin, 'tags'), terms.tags);
  compareTwin(
    'initialTwin.desired',
    memberObject(memberObject(twin, 'properties'), 'desired'),
    terms.desired,
  );
  compare(
    'capabilities.iotEdge',
    String(memberObject(json, 'capabilities').iotEdge === true),
    String(terms.iotEdge),
  );

  const url = textAt(definition.webhookUrl);
  if (webhook === undefined) {
    if (json.allocationPolicy === 'custom') compare('webhook.url', withoutKey(url), NOTHING);
    return found;
  }
  compare(
    'webhook.url',
    withoutKey(url) || NOTHING,
    withoutKey(webhook.url),
    url !== '' && isSameWebhook(url, webhook.url),
  );
  compare('webhook.apiVersion', textAt(definition.apiVersion) || NOTHING, webhook.apiVersion);
  const { webhookKey } = secrets;
  if (url !== '' && webhookKey !== undefined && carriesKey(url, webhookKey) === false) {
    compare('webhook key', 'another key', `the key in ${keyVariableOf(webhook)}`);
  }
  return found;

  function compareTwin(field: string, from: JsonObject, to: JsonObject): void {
    const bare = withoutMarks(from);
    compare(field, shownJson(bare), shownJson(to), sameJson(bare, to));
  }
}

function attestationDifferences(
  wanted: WantedAttestation<PlanKey>,
  found: JsonObject,
  mechanism: JsonObject | undefined,
): readonly EnrollmentDifference[] {
  const kind = attestationText(wanted);
  const actual = recordedKind(found);
  if (actual !== kind) return [{ field: 'attestation', from: actual, to: kind }];
  switch (wanted.type) {
    case 'symmetricKey': {
      if (wanted.keys === undefined || mechanism === undefined) return [];
      const keys = memberObject(mechanism, 'symmetricKey');
      const { primaryKey, secondaryKey } = wanted.keys;
      return [
        ...keyDifference('attestation.primaryKey', keys.primaryKey, primaryKey),
        ...keyDifference('attestation.secondaryKey', keys.secondaryKey, secondaryKey),
      ];
    }
    case 'tpm':
      return keyDifference(
        'attestation.endorsementKey',
        memberObject(found, 'tpm').endorsementKey,
        wanted.endorsementKey,
      );
    case 'x509': {
      const held = memberObject(memberObject(found, 'x509'), wanted.field);
      return (['primary', 'secondary'] as const).flatMap((place, index) => {
        const from =
          wanted.field === 'caReferences' ? textAt(held[place]) : thumbprintOf(memberObject(held, place));
        const to =
          wanted.field === 'caReferences' ? (wanted.names[index] ?? '') : (wanted[place]?.sha256 ?? '');
        const isSame = from.toLowerCase() === to.toLowerCase();
        return isSame
          ? []
          : [{ field: `attestation.${wanted.field}.${place}`, from: from || NOTHING, to: to || NOTHING }];
      });
    }
  }
}

/** The kind of attestation, as text. */
export function attestationText(wanted: WantedAttestation<PlanKey>): string {
  return wanted.type === 'x509' ? `x509 ${wanted.field}` : wanted.type;
}

function keyDifference(
  field: string,
  found: JsonValue | undefined,
  wanted: PlanKey,
): readonly EnrollmentDifference[] {
  if (wanted === undefined || found === wanted) return [];
  return [{ field, from: 'another key', to: 'the key that the file names' }];
}

/**
 * Hubs in one order and case, because DPS returns any. It compares names and not hubs: DPS knows a hub by the
 * name of its link, so the enrollment must change when that name changes.
 */
function listed(hubs: readonly string[]): string {
  return hubs.length === 0
    ? 'all linked hubs'
    : hubs
        .map((hub) => (isHostName(hub) ? hub.toLowerCase() : NOT_A_HOST_NAME))
        .sort()
        .join(', ');
}

const LONGEST = 120;

function shownJson(section: JsonObject): string {
  if (Object.keys(section).length === 0) return NOTHING;
  const json = canonicalJson(section);
  return json.length > LONGEST ? `${json.slice(0, LONGEST - 1)}…` : json;
}
