import { isObject, type JsonValue, ownMember, sameJson } from '../../json/json.ts';
import { REDACTED, type Redaction, redactValues } from '../redaction/redact-values.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Twin, TwinSection } from '../snapshot/twin.ts';
import type { TwinEvent } from './event.ts';

export { REDACTED, type Redaction } from '../redaction/redact-values.ts';

export const NO_REDACTION: Redaction = { paths: [], key: undefined };

/** The event without the values of the redacted paths, in tags, desired and reported alike. */
export function redactEvent(event: TwinEvent, redaction: Redaction): TwinEvent {
  if (redaction.paths.length === 0 || !('twin' in event || 'change' in event)) return event;
  if (event.kind !== 'update') return { ...event, twin: redactTwin(event.twin, redaction) };
  const { tags, desired, reported } = event.change;
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
export function redactTwin(twin: Twin, redaction: Redaction): Twin {
  if (redaction.paths.length === 0) return twin;
  return {
    ...twin,
    tags: redactValues(twin.tags, redaction, 'section'),
    desired: redactSection(twin.desired, redaction, 'section'),
    reported: redactSection(twin.reported, redaction, 'reported'),
  };
}

type Kept = Pick<Snapshot, 'tags' | 'desired' | 'reported'> &
  Partial<Pick<Snapshot, 'paths' | 'writing' | 'lastReconcile' | 'workItem'>>;

/**
 * What is kept, without what is to be redacted now: it may have been stored before its path was redacted. No policy can own
 * such a path any more, so what was remembered of writing it goes.
 */
export function redactKept<Each extends Kept>(kept: Each, redaction: Redaction): Each {
  if (redaction.paths.length === 0) return kept;
  const isHidden = (path: readonly string[]) => isRedacted(path, redaction);
  const { paths, writing, lastReconcile, workItem } = kept;
  const histories = Object.entries(paths ?? {}).filter(([path]) => !isHidden(path.split('.')));
  return {
    ...kept,
    tags: redactValues(kept.tags, redaction, 'section'),
    desired: redactValues(kept.desired, redaction, 'section'),
    reported: redactValues(kept.reported, redaction, 'reported'),
    ...(paths === undefined ? {} : { paths: Object.fromEntries(histories) }),
    ...(writing === undefined ? {} : { writing: writing.filter(({ path }) => !isHidden(path)) }),
    ...(lastReconcile === undefined ? {} : { lastReconcile: redactReason(lastReconcile, redaction) }),
    ...(workItem === undefined ? {} : { workItem: redactReason(workItem, redaction) }),
  };
}

/** What says why, without the value of a path that is redacted now. */
export function redactReason<Told extends { readonly why: string }>(told: Told, redaction: Redaction): Told {
  const [path = ''] = told.why.split(' ', 1);
  return isRedacted(path.split('.'), redaction) ? { ...told, why: `${path} is redacted now` } : told;
}

function isRedacted(path: readonly string[], { paths }: Redaction): boolean {
  return paths.some((hidden) => isAlong(hidden, path));
}

/** True where one of the two paths is the other or a beginning of it. */
function isAlong(left: readonly string[], right: readonly string[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((key, index) => key === right[index]);
}

/** Whether two values are the same, as far as that can be told where one of them is redacted and the other is not. */
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
