import { type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { StoredEnrollmentKind } from '../enrollments/enrollment-store.ts';
import { DPS_REFUSALS } from '../registration/dps-error.ts';
import type { EnrollmentShape } from './enrollment-shape.ts';
import type { EnrollmentWrites } from './enrollment-writes.ts';
import { Refused } from './refused.ts';

/** "Bulk device enrollment operation with maximum of 10 enrollments" (service API), and the same for groups. */
const MAX_BULK = 10;

const MODES = ['create', 'update', 'updateIfMatchETag', 'delete'] as const;
type Mode = (typeof MODES)[number];

/** The names of the fields by kind (`BulkEnrollmentOperation`, `BulkEnrollmentGroupOperation` of the service API). */
const FIELDS = {
  individual: { list: 'enrollments', id: 'registrationId' },
  group: { list: 'enrollmentGroups', id: 'enrollmentGroupId' },
} as const;

/**
 * Runs a bulk operation. Each enrollment succeeds or fails for itself, in the order of the request.
 *
 * @returns `{isSuccessful, errors: [{registrationId or enrollmentGroupId, errorCode, errorStatus}]}`
 * @throws Refused `invalidArgument` if the request itself is not valid. Nothing is then changed.
 */
export function runEnrollmentBulk(
  kind: StoredEnrollmentKind,
  body: JsonValue | undefined,
  shape: EnrollmentShape,
  writes: EnrollmentWrites,
): JsonObject {
  const { list, id: idField } = FIELDS[kind];
  const mode = readMode(ownMember(body, 'mode'));
  const listed = ownMember(body, list);
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > MAX_BULK)
    throw new Refused('invalidArgument', `${list} of a bulk operation must hold 1 to ${MAX_BULK} items.`);
  const items = listed.map((item: JsonValue) => {
    const id = ownMember(item, idField);
    if (typeof id !== 'string' || id === '')
      throw new Refused('invalidArgument', `Each item of ${list} needs a ${idField}.`);
    return { id, item };
  });
  const errors = items.flatMap(({ id, item }) => {
    try {
      runOne(mode, kind, id, item);
      return [];
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return [{ [idField]: id, errorCode: DPS_REFUSALS[error.refusal].code, errorStatus: error.message }];
    }
  });
  return { isSuccessful: errors.length === 0, errors };

  function runOne(mode: Mode, kind: StoredEnrollmentKind, id: string, item: JsonValue): void {
    switch (mode) {
      case 'create':
        writes.put({ kind, id, body: item, shape });
        return;
      case 'update':
        writes.found(kind, id);
        writes.put({ kind, id, body: item, ifMatch: '*', shape });
        return;
      case 'updateIfMatchETag': {
        writes.found(kind, id);
        const etag = ownMember(item, 'etag');
        writes.put({ kind, id, body: item, ifMatch: typeof etag === 'string' ? etag : '', shape });
        return;
      }
      case 'delete':
        writes.remove(kind, id, undefined);
    }
  }
}

/** SDKs write the third mode as `updateIfMatchETag` or `updateIfMatchEtag`. */
function readMode(sent: JsonValue | undefined): Mode {
  const mode = MODES.find((each) => typeof sent === 'string' && each.toLowerCase() === sent.toLowerCase());
  if (mode !== undefined) return mode;
  throw new Refused(
    'invalidArgument',
    `mode must be one of ${MODES.join(', ')}, not ${JSON.stringify(sent ?? null).slice(0, 40)}.`,
  );
}
