import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { JsonObject } from '../../../src/json/json.ts';
import { openJournal } from '../../journal.ts';
import { readStoredRegistration } from '../stored-records.ts';
import type { CurrentAssignment } from './allocation-request.ts';
import type { RegistrationFailure } from './dps-error.ts';
import type { Substatus } from './reprovisioning.ts';

/** The stored registration of a device. It never contains keys. */
export interface Registration {
  /** In the spelling of the first registration. Ids are not case-sensitive. */
  readonly registrationId: string;
  readonly enrollmentId: string;
  readonly attestation: 'symmetricKey' | 'x509' | 'tpm';
  /** The state of the last attempt. */
  readonly status: 'assigned' | 'failed' | 'disabled';
  readonly substatus?: Substatus;
  /** The assigned hub. A failed attempt does not change it. */
  readonly assignment?: CurrentAssignment;
  /** What the webhook returned for the device. */
  readonly payload?: JsonObject;
  readonly failure?: RegistrationFailure;
  readonly etag: string;
  readonly createdDateTimeUtc: string;
  readonly lastUpdatedDateTimeUtc: string;
}

/** The registrations of one DPS. `put` stores them on disk. */
export interface RegistrationStore {
  readonly size: number;
  get(registrationId: string): Registration | undefined;
  put(registration: Registration): void;
  /** Deletes a registration. The next registration of the device counts as its first. */
  delete(registrationId: string): void;
  values(): Iterable<Registration>;
  close(): void;
}

/** A deleted registration in the journal. */
export interface DeletedRegistration {
  readonly forgotten: string;
}

/** The journal is compacted when it has this many entries more than four times the number of registrations. */
const COMPACT_SLACK = 1_000;

/** @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE` */
export function openRegistrations(directory: string | undefined): RegistrationStore {
  const registrations = new Map<string, Registration>();
  const file = directory && join(directory, 'registrations.jsonl');
  let entries = 0;
  const journal = openJournal<Registration | DeletedRegistration>(file, (record) => {
    const entry = readStoredRegistration<Registration | DeletedRegistration>(record);
    entries += 1;
    if ('forgotten' in entry) registrations.delete(entry.forgotten.toLowerCase());
    else registrations.set(entry.registrationId.toLowerCase(), entry);
  });
  return {
    get size() {
      return registrations.size;
    },
    get: (registrationId) => registrations.get(registrationId.toLowerCase()),
    put(registration) {
      journal.append(registration);
      registrations.set(registration.registrationId.toLowerCase(), registration);
      entries += 1;
      if (entries > 4 * registrations.size + COMPACT_SLACK) {
        journal.compact(registrations.values());
        entries = registrations.size;
      }
    },
    delete(registrationId) {
      if (!registrations.delete(registrationId.toLowerCase())) return;
      journal.append({ forgotten: registrationId });
      entries += 1;
    },
    values: () => registrations.values(),
    close: () => journal.close(),
  };
}

/** A new entity tag of a registration. As in DPS, it is base64 of a quoted id. */
export function newRegistrationEtag(): string {
  return Buffer.from(`"${randomUUID()}"`).toString('base64');
}

/** The registration in the form for the device, `registrationState` (`DeviceRegistrationResult`). */
export function describeRegistration(registration: Registration, groupId: string | undefined): JsonObject {
  const through = groupId === undefined ? {} : { enrollmentGroupId: groupId };
  return { [registration.attestation]: through, ...describeRecord(registration) };
}

/** The registration in the form for operators (`DeviceRegistrationState` of the service API). */
export function describeRecord(registration: Registration): JsonObject {
  const { assignment, failure, payload, status, substatus } = registration;
  return {
    registrationId: registration.registrationId,
    createdDateTimeUtc: registration.createdDateTimeUtc,
    ...(status === 'assigned' &&
      assignment && { assignedHub: assignment.host, deviceId: assignment.deviceId }),
    status,
    ...(status === 'assigned' && substatus !== undefined && { substatus }),
    ...(failure && { errorCode: failure.code, errorMessage: failure.message }),
    lastUpdatedDateTimeUtc: registration.lastUpdatedDateTimeUtc,
    etag: registration.etag,
    ...(payload && { payload }),
  };
}
