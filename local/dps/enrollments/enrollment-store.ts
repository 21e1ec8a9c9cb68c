import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createClock, formatDateTimeUtc } from '../../iot-hub/model/instant.ts';
import { openJournal } from '../../journal.ts';
import { type Deleted, readStoredEnrollment } from '../stored-records.ts';
import { type Enrollment, enrollmentId, isGroup, type StoredEnrollment } from './enrollment.ts';

export type StoredEnrollmentKind = 'group' | 'individual';

/** The enrollments of one DPS. Ids are not case-sensitive. */
export interface EnrollmentStore {
  /**
   * In the order of their creation, but the initial ones last: an enrollment of the user's own with the CA of an initial
   * group is found first.
   */
  values(): readonly StoredEnrollment[];
  get(kind: StoredEnrollmentKind, id: string): StoredEnrollment | undefined;
  /** Creates or replaces an enrollment. Returns it with its new etag and times. */
  put(enrollment: Enrollment): StoredEnrollment;
  delete(kind: StoredEnrollmentKind, id: string): void;
  close(): void;
}

/**
 * Opens the store. Stored changes of the service API, deletions included, have precedence over `given`, the initial
 * enrollments.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openEnrollments(
  directory: string | undefined,
  given: readonly Enrollment[],
  now: () => number,
): EnrollmentStore {
  const tick = createClock(now);
  const stored = new Map<string, StoredEnrollment>();
  const initial = new Set(given.map(keyOf));
  const begun = formatDateTimeUtc(tick());
  for (const enrollment of given) {
    const times = { createdDateTimeUtc: begun, lastUpdatedDateTimeUtc: begun };
    stored.set(keyOf(enrollment), { ...enrollment, etag: newEtag(), ...times });
  }
  const journal = openJournal<StoredEnrollment | Deleted>(
    directory && join(directory, 'enrollments.jsonl'),
    (record) => {
      const entry = readStoredEnrollment<StoredEnrollment | Deleted>(record);
      if ('deleted' in entry) stored.delete(entry.deleted);
      else stored.set(keyOf(entry), entry);
    },
  );
  return {
    values() {
      const all = [...stored];
      const isInitial = ([id]: readonly [string, StoredEnrollment]) => initial.has(id);
      return [...all.filter((each) => !isInitial(each)), ...all.filter(isInitial)].map(([, each]) => each);
    },
    get: (kind, id) => stored.get(key(kind, id)),
    put(enrollment) {
      const time = formatDateTimeUtc(tick());
      const createdDateTimeUtc = stored.get(keyOf(enrollment))?.createdDateTimeUtc ?? time;
      const kept = { ...enrollment, etag: newEtag(), createdDateTimeUtc, lastUpdatedDateTimeUtc: time };
      journal.append(kept);
      stored.set(keyOf(kept), kept);
      return kept;
    },
    delete(kind, id) {
      if (stored.delete(key(kind, id))) journal.append({ deleted: key(kind, id) });
    },
    close: () => journal.close(),
  };
}

function keyOf(enrollment: Enrollment): string {
  return key(isGroup(enrollment) ? 'group' : 'individual', enrollmentId(enrollment));
}

function key(kind: StoredEnrollmentKind, id: string): string {
  return `${kind}/${id.toLowerCase()}`;
}

function newEtag(): string {
  const digits = randomBytes(12).toString('hex');
  return `"${[digits.slice(0, 8), '0000', digits.slice(8, 12), '0000', digits.slice(12)].join('-')}"`;
}
