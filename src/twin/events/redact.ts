import { twinSizeOf } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonValue, ownMember, sameJson } from '../../json/json.ts';
import { holdsRedacted, REDACTED, type Redaction, redactValues } from '../redaction/redact-values.ts';
import { redactionOfTwin } from '../redaction/runtime-secrets.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Twin, TwinSection } from '../snapshot/twin.ts';
import type { TwinEvent } from './event.ts';

export { REDACTED, type Redaction } from '../redaction/redact-values.ts';

export const NO_REDACTION: Redaction = { paths: [], key: undefined };

/** The event without the values of the redacted paths, in tags, desired and reported alike. */
export function redactEvent(event: TwinEvent, given: Redaction): TwinEvent {
  if (!('twin' in event || 'change' in event)) return event;
  const { moduleId } = event.id;
  if (event.kind !== 'update') return { ...event, twin: redactTwin(event.twin, given, moduleId) };
  const { tags, desired, reported } = event.change;
  const redaction = redactionOfTwin(given, moduleId, [desired?.values, reported?.values]);
  if (redaction.paths.length === 0) return event;
  return {
    ...event,
    change: {
      ...event.change,
      tags: tags === undefined ? undefined : redactValues(tags, redaction, 'section'),
      desired: desired === undefined ? undefined : redactSection(desired, redaction, 'section'),
      reported: reported === undefined ? undefined : redactSection(reported, redaction, 'reported'),
    },
  };
}

/** The twin without the values of the redacted paths. */
export function redactTwin(twin: Twin, given: Redaction, moduleId?: string): Twin {
  const redaction = redactionOfTwin(given, moduleId, [twin.desired.values, twin.reported.values]);
  if (redaction.paths.length === 0) return twin;
  return {
    ...twin,
    tags: redactValues(twin.tags, redaction, 'section'),
    desired: withSize(redactSection(twin.desired, redaction, 'section'), twin.desired),
    reported: redactSection(twin.reported, redaction, 'reported'),
  };
}

/** A section with the size that it had before its redaction. */
function withSize(redacted: TwinSection, before: TwinSection): TwinSection {
  if (redacted.values === before.values || before.bytes !== undefined) return redacted;
  return { ...redacted, bytes: twinSizeOf(before.values) };
}

type Kept = Pick<Snapshot, 'tags' | 'desired' | 'reported'> &
  Partial<Pick<Snapshot, 'id' | 'desiredBytes' | 'paths' | 'writing' | 'lastReconcile' | 'workItem'>>;

/**
 * Stored data of a twin without the values of redacted paths. The data may be older than the setting that redacts a path.
 * No policy can own a redacted path, so its history is removed too.
 */
export function redactKept<Each extends Kept>(kept: Each, given: Redaction): Each {
  const redaction = redactionOfTwin(given, kept.id?.moduleId, [kept.desired, kept.reported]);
  if (redaction.paths.length === 0) return kept;
  const isHidden = (path: readonly string[]) => isRedacted(path, redaction);
  const { paths, writing, lastReconcile, workItem } = kept;
  const desired = redactValues(kept.desired, redaction, 'section');
  const isWhole = kept.desiredBytes === undefined && !holdsRedacted(kept.desired);
  const histories = Object.entries(paths ?? {}).filter(([path]) => !isHidden(path.split('.')));
  return {
    ...kept,
    tags: redactValues(kept.tags, redaction, 'section'),
    desired,
    ...(isWhole && desired !== kept.desired ? { desiredBytes: twinSizeOf(kept.desired) } : {}),
    reported: redactValues(kept.reported, redaction, 'reported'),
    ...(paths === undefined ? {} : { paths: Object.fromEntries(histories) }),
    ...(writing === undefined ? {} : { writing: writing.filter(({ path }) => !isHidden(path)) }),
    ...(lastReconcile === undefined ? {} : { lastReconcile: redactReason(lastReconcile, redaction) }),
    ...(workItem === undefined ? {} : { workItem: redactReason(workItem, redaction) }),
  };
}

/** A reason without the value of a path that is redacted now. */
export function redactReason<Reason extends { readonly why: string }>(
  reason: Reason,
  redaction: Redaction,
): Reason {
  const [path = ''] = reason.why.split(' ', 1);
  return isRedacted(path.split('.'), redaction) ? { ...reason, why: `${path} is redacted now` } : reason;
}

function isRedacted(path: readonly string[], { paths }: Redaction): boolean {
  return paths.some((hidden) => isAlong(hidden, path));
}

/** Whether one path is equal to the other or a beginning of it. */
function isAlong(left: readonly string[], right: readonly string[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((key, index) => key === right[index]);
}

/** Whether two values are the same. A redacted value counts as equal to any value that is not redacted. */
export function sameBesidesRedacted(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (isHash(one) !== isHash(other)) return one !== undefined && other !== undefined;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, at) => sameBesidesRedacted(item, other[at]));
  }
  if (!isObject(one) || !isObject(other)) return sameJson(one, other);
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].every((key) => sameBesidesRedacted(ownMember(one, key), ownMember(other, key)));
}

function isHash(value: JsonValue | undefined): boolean {
  return typeof value === 'string' && value.startsWith(REDACTED);
}

function redactSection(
  section: TwinSection,
  redaction: Redaction,
  place: 'section' | 'reported',
): TwinSection {
  return { ...section, values: redactValues(section.values, redaction, place) };
}
