import { timeOf } from '../../words/format.ts';

/** One registration, as `GET /registrations` of the control API answers it. */
export interface Registration {
  readonly registrationId: string;
  readonly enrollmentId: string;
  readonly attestation: string;
  readonly status: string;
  readonly lastUpdatedDateTimeUtc: string;
  readonly errorMessage?: string;
  readonly assignment?: { readonly host: string; readonly deviceId: string };
}

/** What is known of an enrollment from its registrations. */
export interface Enrollment {
  readonly id: string;
  readonly attestation: string;
  readonly registrations: number;
  readonly assigned: number;
  /** Milliseconds since the epoch. */
  readonly lastAt: number | undefined;
}

/** The enrollments that devices have used, by their ids. */
export function enrollmentsOf(registrations: readonly Registration[]): readonly Enrollment[] {
  const groups = new Map<string, readonly Registration[]>();
  for (const each of registrations) {
    groups.set(each.enrollmentId, [...(groups.get(each.enrollmentId) ?? []), each]);
  }
  return [...groups]
    .map(([id, group]) => ({
      id,
      attestation: [...new Set(group.map(({ attestation }) => attestation))].join(', '),
      registrations: group.length,
      assigned: group.filter(({ status }) => status === 'assigned').length,
      lastAt: latest(group.map(({ lastUpdatedDateTimeUtc }) => timeOf(lastUpdatedDateTimeUtc))),
    }))
    .sort((one, other) => one.id.localeCompare(other.id));
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
