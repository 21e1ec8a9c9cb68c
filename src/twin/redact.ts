import { createHmac } from 'node:crypto';
import { canonicalJson, isObject, type JsonObject, type JsonValue } from '../json.ts';
import type { TwinEvent } from './event.ts';
import { valueAt } from './merge.ts';
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
  if (typeof value === 'string') return value.startsWith(REDACTED);
  if (Array.isArray(value)) return value.some(holdsRedacted);
  return isObject(value) && Object.values(value).some(holdsRedacted);
}

/** The event without the values of the redacted paths, in tags, desired and reported alike. */
export function redactEvent(event: TwinEvent, redaction: Redaction): TwinEvent {
  if (redaction.paths.length === 0 || event.kind === 'delete') return event;
  if (event.kind !== 'update') return { ...event, twin: redactTwin(event.twin, redaction) };
  const { tags, desired, reported } = event.change;
  return {
    ...event,
    change: {
      ...event.change,
      tags: tags === undefined ? undefined : redactValues(tags, redaction),
      desired: desired === undefined ? undefined : redactSection(desired, redaction),
      reported: reported === undefined ? undefined : redactSection(reported, redaction),
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
    reported: redactSection(twin.reported, redaction),
  };
}

function redactSection(section: Section, redaction: Redaction): Section {
  return { ...section, values: redactValues(section.values, redaction) };
}

/** A deletion (`null`) stays one. */
function redactValues(values: JsonObject, { paths, key }: Redaction): JsonObject {
  return paths.reduce((redacted, path) => {
    const value = valueAt(redacted, path);
    return value === undefined || value === null ? redacted : replaceAt(redacted, path, digest(value, key));
  }, values);
}

/**
 * A keyed hash: it tells whether a value has changed, and a short password cannot be found by trying. Without a key
 * nothing is told.
 */
function digest(value: JsonValue, key: Uint8Array | undefined): string {
  if (key === undefined) return REDACTED;
  return `${REDACTED}${createHmac('sha256', key).update(canonicalJson(value)).digest('hex').slice(0, 24)}`;
}

function replaceAt(values: JsonObject, [key, ...rest]: readonly string[], hash: string): JsonObject {
  if (key === undefined) return values;
  const below = values[key];
  return { ...values, [key]: rest.length === 0 || !isObject(below) ? hash : replaceAt(below, rest, hash) };
}
