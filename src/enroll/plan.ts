import type { EnrollmentKind, EnrollmentRecord } from '../dps/port.ts';
import type { JsonObject } from '../json/json.ts';
import { attestationText, differencesOf, type EnrollmentDifference } from './differences.ts';
import { memberObject, recordedKind } from './record.ts';
import type { WebhookFile } from './schema.ts';
import type { EnrollmentKeys, PlanKey, WantedEnrollment } from './wanted.ts';

/** A key of the file that the plan does not know, here or in DPS, so that it compares everything else. */
export interface UnknownKey {
  /** As in the differences: `attestation.primaryKey`. */
  readonly field: string;
  /** The reason, as the end of a sentence. */
  readonly why: string;
}

/** The step that makes one enrollment match the file. Only steps whose keys are all known can be carried out. */
export type EnrollmentStep<Key extends PlanKey = string> =
  | {
      readonly action: 'create';
      readonly wanted: WantedEnrollment<Key>;
      readonly unknownKeys: readonly UnknownKey[];
    }
  | {
      readonly action: 'update';
      readonly wanted: WantedEnrollment<Key>;
      readonly record: EnrollmentRecord;
      readonly differences: readonly EnrollmentDifference[];
      readonly unknownKeys: readonly UnknownKey[];
    }
  | {
      readonly action: 'unchanged';
      readonly record: EnrollmentRecord;
      readonly unknownKeys: readonly UnknownKey[];
    }
  /** Not in the file. */
  | { readonly action: 'only in DPS'; readonly record: EnrollmentRecord };

export interface EnrollmentPlanInput<Key extends PlanKey> {
  readonly wanted: readonly WantedEnrollment<Key>[];
  readonly records: readonly EnrollmentRecord[];
  /**
   * Attestations with keys of the enrollments that `asksForKeys` selects, by `keyOf`. Without one, the keys are
   * not compared.
   */
  readonly mechanisms: ReadonlyMap<string, JsonObject>;
  /** The function key of the URL of a webhook; undefined if it is unknown. */
  webhookKey(webhook: WebhookFile): string | undefined;
}

/** One step for each enrollment of the file, and one for each that is only in DPS. */
export function planEnrollments<Key extends PlanKey>({
  wanted,
  records,
  mechanisms,
  webhookKey,
}: EnrollmentPlanInput<Key>): readonly EnrollmentStep<Key>[] {
  const found = new Map(records.map((record) => [keyOf(record), record]));
  const steps = wanted.map((each): EnrollmentStep<Key> => {
    const record = found.get(keyOf(each));
    if (record === undefined) return { action: 'create', wanted: each, unknownKeys: unsetKeysOf(each) };
    const key = each.webhook && webhookKey(each.webhook);
    const mechanism = mechanisms.get(keyOf(each));
    const differences = differencesOf(each, record, { mechanism, webhookKey: key });
    const unknownKeys = [...unreadKeysOf(each, record, mechanism), ...unsetKeysOf(each)];
    return differences.length === 0
      ? { action: 'unchanged', record, unknownKeys }
      : { action: 'update', wanted: each, record, differences, unknownKeys };
  });
  const inFile = new Set(wanted.map(keyOf));
  const extra = records.filter((record) => !inFile.has(keyOf(record)));
  return [...steps, ...extra.map((record): EnrollmentStep<Key> => ({ action: 'only in DPS', record }))];
}

/** Whether the keys of an enrollment must be read for the comparison, because the file defines them. */
export function asksForKeys({ attestation }: WantedEnrollment<PlanKey>): boolean {
  return attestation.type === 'symmetricKey' && knownKeys(attestation.keys).length > 0;
}

/** Keys whose environment variables are not set. */
function unsetKeysOf({ unsetKeys }: WantedEnrollment<PlanKey>): readonly UnknownKey[] {
  return unsetKeys.map(({ field, variable }) => ({ field, why: `${variable} is not set` }));
}

/** Keys that this sign-in may not read in DPS; none if DPS has another kind of attestation. */
function unreadKeysOf(
  { attestation }: WantedEnrollment<PlanKey>,
  { json }: EnrollmentRecord,
  mechanism: JsonObject | undefined,
): readonly UnknownKey[] {
  if (attestation.type !== 'symmetricKey' || mechanism !== undefined) return [];
  if (recordedKind(memberObject(json, 'attestation')) !== attestationText(attestation)) return [];
  return knownKeys(attestation.keys).map((name) => ({
    field: `attestation.${name}`,
    why: 'this sign-in may not read keys of DPS',
  }));
}

function knownKeys(keys: EnrollmentKeys<PlanKey> | undefined): readonly (keyof EnrollmentKeys)[] {
  return (['primaryKey', 'secondaryKey'] as const).filter((name) => keys?.[name] !== undefined);
}

/** The key of an enrollment. DPS ignores the case of ids. */
export function keyOf({ kind, id }: { readonly kind: EnrollmentKind; readonly id: string }): string {
  return `${kind}/${id.toLowerCase()}`;
}
