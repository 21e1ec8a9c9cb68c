import type { EnrollmentKind, EnrollmentRecord } from '../dps/port.ts';
import type { JsonObject } from '../json/json.ts';
import { differencesOf, type EnrollmentDifference } from './differences.ts';
import type { WebhookFile } from './schema.ts';
import type { WantedEnrollment } from './wanted.ts';

/** The step that makes one enrollment match the file. */
export type EnrollmentStep =
  | { readonly action: 'create'; readonly wanted: WantedEnrollment }
  | {
      readonly action: 'update';
      readonly wanted: WantedEnrollment;
      readonly record: EnrollmentRecord;
      readonly differences: readonly EnrollmentDifference[];
    }
  | { readonly action: 'unchanged'; readonly record: EnrollmentRecord }
  /** Not in the file. */
  | { readonly action: 'only in DPS'; readonly record: EnrollmentRecord };

export interface EnrollmentPlanInput {
  readonly wanted: readonly WantedEnrollment[];
  readonly records: readonly EnrollmentRecord[];
  /** Attestations with keys of the enrollments that `asksForKeys` selects, by `keyOf`. */
  readonly mechanisms: ReadonlyMap<string, JsonObject>;
  /** The function key of the URL of a webhook; undefined if it is unknown. */
  webhookKey(webhook: WebhookFile): string | undefined;
}

/** One step for each enrollment of the file, and one for each that is only in DPS. */
export function planEnrollments({
  wanted,
  records,
  mechanisms,
  webhookKey,
}: EnrollmentPlanInput): readonly EnrollmentStep[] {
  const found = new Map(records.map((record) => [keyOf(record), record]));
  const steps = wanted.map((each): EnrollmentStep => {
    const record = found.get(keyOf(each));
    if (record === undefined) return { action: 'create', wanted: each };
    const key = each.webhook && webhookKey(each.webhook);
    const secrets = { mechanism: mechanisms.get(keyOf(each)), webhookKey: key };
    const differences = differencesOf(each, record, secrets);
    return differences.length === 0
      ? { action: 'unchanged', record }
      : { action: 'update', wanted: each, record, differences };
  });
  const inFile = new Set(wanted.map(keyOf));
  const extra = records.filter((record) => !inFile.has(keyOf(record)));
  return [...steps, ...extra.map((record): EnrollmentStep => ({ action: 'only in DPS', record }))];
}

/** Whether the keys of an enrollment must be read for the comparison, because the file defines them. */
export function asksForKeys({ attestation }: WantedEnrollment): boolean {
  return attestation.type === 'symmetricKey' && attestation.keys !== undefined;
}

/** The key of an enrollment. DPS ignores the case of ids. */
export function keyOf({ kind, id }: { readonly kind: EnrollmentKind; readonly id: string }): string {
  return `${kind}/${id.toLowerCase()}`;
}
