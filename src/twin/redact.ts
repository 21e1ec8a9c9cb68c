import { createHmac } from 'node:crypto';
import { canonicalJson, isObject, type JsonObject, type JsonValue, sameJson } from '../json.ts';
import type { TwinEvent } from './event.ts';
import { valueAt } from './merge.ts';
import type { Shadow } from './shadow.ts';
import type { Section, Twin } from './twin.ts';

/** Which values are never kept, and the key of the hashes that stand in their place. */
export interface Redaction {
  readonly paths: readonly (readonly string[])[];
  /** Undefined where there are no paths. */
  readonly key: Uint8Array | undefined;
}

export const NO_REDACTION: Redaction = { paths: [], key: undefined };

/** What every hash begins with. */
export const REDACTED = 'redacted:';

/** Whether a hash stands somewhere in it: such a value must never go back to a hub. */
export function holdsRedacted(value: JsonValue): boolean {
  if (typeof value === 'string') return value.includes(REDACTED);
  if (Array.isArray(value)) return value.some(holdsRedacted);
  return isObject(value) && Object.values(value).some(holdsRedacted);
}

/** The event without the values of the redacted paths, in tags, desired and reported alike. */
export function redactEvent(event: TwinEvent, redaction: Redaction): TwinEvent {
  if (redaction.paths.length === 0 || event.kind === 'delete') return event;
  if (event.kind === 'unclear' || event.kind === 'activity') return event;
  if (event.kind !== 'update') return { ...event, twin: redactTwin(event.twin, redaction) };
  const { tags, desired, reported } = event.change;
  return {
    ...event,
    change: {
      ...event.change,
      tags: tags === undefined ? undefined : redactValues(tags, redaction),
      desired: desired === undefined ? undefined : redactSection(desired, redaction),
      reported: reported === undefined ? undefined : redactReport(reported, redaction),
    },
  };
}

/** The twin without the values of the redacted paths. */
export function redactTwin(twin: Twin, redaction: Redaction): Twin {
  if (redaction.paths.length === 0) return twin;
  return {
    ...twin,
    tags: redactValues(twin.tags, redaction),
    desired: redactSection(twin.desired, redaction),
    reported: redactReport(twin.reported, redaction),
  };
}

/** What is kept, without what is to be redacted now: it may have been stored before it was. */
export function redactKept<Kept extends Pick<Shadow, 'tags' | 'desired' | 'reported'>>(
  kept: Kept,
  redaction: Redaction,
): Kept {
  if (redaction.paths.length === 0) return kept;
  return {
    ...kept,
    tags: redactValues(kept.tags, redaction),
    desired: redactValues(kept.desired, redaction),
    reported: redactValues(kept.reported, { ...redaction, paths: acknowledgedPaths(redaction.paths) }),
  };
}

/** Whether two values are the same, as far as that can be told where one of them is redacted and the other is not. */
export function sameBesidesRedacted(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (isHash(one) !== isHash(other)) return one !== undefined && other !== undefined;
  if (!isObject(one) || !isObject(other)) return sameJson(one, other);
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].every((key) => sameBesidesRedacted(ownMember(one, key), ownMember(other, key)));
}

function ownMember(json: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}

function isHash(value: JsonValue | undefined): boolean {
  return typeof value === 'string' && value.startsWith(REDACTED);
}

function redactSection(section: Section, redaction: Redaction): Section {
  return { ...section, values: redactValues(section.values, redaction) };
}

function redactReport(section: Section, redaction: Redaction): Section {
  return redactSection(section, { ...redaction, paths: acknowledgedPaths(redaction.paths) });
}

/** A device may acknowledge an object that the path goes through: then the value lies in its `value`. */
function acknowledgedPaths(paths: Redaction['paths']): Redaction['paths'] {
  return paths.flatMap((path) => [
    path,
    ...path.slice(0, -1).map((_, index) => [...path.slice(0, index + 1), 'value', ...path.slice(index + 1)]),
  ]);
}

/** A deletion (`null`) stays one. */
function redactValues(values: JsonObject, { paths, key }: Redaction): JsonObject {
  return paths.reduce((redacted, path) => {
    const value = valueAt(redacted, path);
    return value === undefined || value === null ? redacted : replaceAt(redacted, path, hidden(value, key));
  }, values);
}

/** Leaf by leaf, so that a change of a part of an object is merged as the hub merges it. */
function hidden(value: JsonValue, key: Uint8Array | undefined): JsonValue {
  if (value === null || isHash(value)) return value;
  if (!isObject(value)) return digest(value, key);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, hidden(member, key)]));
}

/**
 * A keyed hash: it tells whether a value has changed, and a short password cannot be found by trying. Without a key
 * nothing is told.
 */
function digest(value: JsonValue, key: Uint8Array | undefined): string {
  if (key === undefined) return REDACTED;
  return `${REDACTED}${createHmac('sha256', key).update(canonicalJson(value)).digest('hex').slice(0, 24)}`;
}

function replaceAt(values: JsonObject, [key, ...rest]: readonly string[], hash: JsonValue): JsonObject {
  if (key === undefined) return values;
  const below = values[key];
  return { ...values, [key]: rest.length === 0 || !isObject(below) ? hash : replaceAt(below, rest, hash) };
}
