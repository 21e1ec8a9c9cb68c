import { timeOf } from '../../words/format.ts';

/** One registration, as `GET /registrations` of the control API answers it. */
export interface ShownRegistration {
  readonly registrationId: string;
  readonly enrollmentId: string;
  readonly status: string;
  readonly lastUpdatedDateTimeUtc: string;
  readonly errorMessage?: string;
  readonly assignment?: { readonly host: string; readonly deviceId: string };
}

/** One enrollment, as `GET /enrollments` of the control API answers it, in the words of DPS's service API. */
export interface ShownEnrollment {
  readonly enrollmentGroupId?: string;
  readonly registrationId?: string;
  readonly attestation?: { readonly type?: string };
  readonly provisioningStatus?: string;
  readonly allocationPolicy?: string;
  readonly reprovisionPolicy?: {
    readonly updateHubAssignment?: boolean;
    readonly migrateDeviceData?: boolean;
  };
  readonly customAllocationDefinition?: { readonly webhookUrl?: string };
}

/** An enrollment with what its registrations tell. */
export interface EnrollmentRow {
  readonly id: string;
  readonly kind: 'group' | 'individual';
  readonly attestation: string;
  readonly status: string;
  readonly allocation: string;
  readonly webhook: string | undefined;
  readonly reprovisioning: string;
  readonly registrations: number;
  readonly assigned: number;
  /** Of the newest registration, ms since the epoch. */
  readonly lastAt: number | undefined;
}

/** The enrollments by their ids, each with its registrations counted. */
export function enrollmentRows(
  enrollments: readonly ShownEnrollment[],
  registrations: readonly ShownRegistration[],
): readonly EnrollmentRow[] {
  const rows = enrollments.map((enrollment): EnrollmentRow => {
    const id = enrollment.enrollmentGroupId ?? enrollment.registrationId ?? '';
    const own = registrations.filter(({ enrollmentId }) => enrollmentId === id);
    const times = own.map(({ lastUpdatedDateTimeUtc }) => timeOf(lastUpdatedDateTimeUtc) ?? 0);
    return {
      id,
      kind: enrollment.enrollmentGroupId === undefined ? 'individual' : 'group',
      attestation: enrollment.attestation?.type ?? 'unknown',
      status: enrollment.provisioningStatus ?? 'enabled',
      allocation: enrollment.allocationPolicy ?? 'of DPS',
      webhook: enrollment.customAllocationDefinition?.webhookUrl,
      reprovisioning: reprovisioningText(enrollment.reprovisionPolicy),
      registrations: own.length,
      assigned: own.filter(({ status }) => status === 'assigned').length,
      lastAt: times.length === 0 ? undefined : Math.max(...times),
    };
  });
  return rows.sort((one, other) => one.id.localeCompare(other.id));
}

function reprovisioningText(policy: ShownEnrollment['reprovisionPolicy']): string {
  if (policy?.updateHubAssignment === false) return 'never';
  return policy?.migrateDeviceData === false ? 'move, with a new twin' : 'move, with its twin';
}
