import type { JsonValue } from '../../../src/json/json.ts';
import type { CertificateStore } from '../certificates/certificate-store.ts';
import { isGroup, type StoredEnrollment } from '../enrollments/enrollment.ts';
import { MAX_GROUPS_PER_ATTESTATION, MAX_INDIVIDUAL_ENROLLMENTS } from '../enrollments/enrollment-check.ts';
import type { EnrollmentStore, StoredEnrollmentKind } from '../enrollments/enrollment-store.ts';
import { readEnrollment } from '../enrollments/enrollment-wire.ts';
import type { EnrollmentShape } from './enrollment-shape.ts';
import { checkMatch, Refused } from './refused.ts';

/** A PUT of an enrollment, alone or in a bulk operation. */
export interface EnrollmentWrite {
  readonly kind: StoredEnrollmentKind;
  readonly id: string;
  readonly body: JsonValue | undefined;
  /** Absent: creates an enrollment. An existing one is then a conflict (azure-iot-sdk-csharp#3076). */
  readonly ifMatch?: string | undefined;
  readonly shape: EnrollmentShape;
}

/** The checked changes of enrollments. Each method throws `Refused` if DPS would refuse the change. */
export interface EnrollmentWrites {
  found(kind: StoredEnrollmentKind, id: string): StoredEnrollment;
  put(write: EnrollmentWrite): StoredEnrollment;
  remove(kind: StoredEnrollmentKind, id: string, ifMatch: string | undefined): void;
}

export function createEnrollmentWrites(
  enrollments: EnrollmentStore,
  certificates: CertificateStore,
): EnrollmentWrites {
  return {
    found,
    put({ kind, id, body, ifMatch, shape }) {
      const before = enrollments.get(kind, id);
      if (before !== undefined && ifMatch === undefined)
        throw new Refused('conflict', `Enrollment ${id} exists already.`);
      if (ifMatch !== undefined) checkMatch(ifMatch, before, 'enrollment');
      const read = readEnrollment(kind, id, shape.complete(body, before), before);
      if ('problem' in read) throw new Refused('invalidArgument', read.problem);
      const { attestation } = read.enrollment;
      if ('caReferences' in attestation) attestation.caReferences.forEach(checkAuthority);
      if (before === undefined) checkRoom(kind, attestation.type);
      return enrollments.put(read.enrollment);
    },
    remove(kind, id, ifMatch) {
      const before = found(kind, id);
      if (ifMatch !== undefined) checkMatch(ifMatch, before, 'enrollment');
      enrollments.delete(kind, id);
    },
  };

  function found(kind: StoredEnrollmentKind, id: string): StoredEnrollment {
    const stored = enrollments.get(kind, id);
    if (stored === undefined) throw new Refused('notFound', `Enrollment ${id} was not found.`);
    return stored;
  }

  function checkAuthority(name: string): void {
    if (certificates.verified(name) === undefined)
      throw new Refused('invalidArgument', `The CA certificate ${name} does not exist or is not verified.`);
  }

  function checkRoom(kind: StoredEnrollmentKind, type: string): void {
    const alike = enrollments
      .values()
      .filter(
        (each) =>
          isGroup(each) === (kind === 'group') && (kind !== 'group' || each.attestation.type === type),
      );
    const most = kind === 'group' ? MAX_GROUPS_PER_ATTESTATION : MAX_INDIVIDUAL_ENROLLMENTS;
    if (alike.length < most) return;
    const what = kind === 'group' ? `${type} groups` : 'individual enrollments';
    throw new Refused('invalidArgument', `DPS has at most ${most} ${what}.`);
  }
}
