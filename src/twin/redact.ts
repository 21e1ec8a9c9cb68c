import { isObject, type JsonObject } from '../json.ts';
import type { TwinEvent } from './event.ts';
import { valueAt } from './merge.ts';
import type { Section, Twin } from './twin.ts';

/** What stands in a shadow where the fleet file redacts a path. */
export const REDACTED = '[redacted]';

type Paths = readonly (readonly string[])[];

/** The event without the values of the redacted paths, in tags, desired and reported alike. */
export function redactEvent(event: TwinEvent, paths: Paths): TwinEvent {
  if (paths.length === 0 || event.kind === 'delete') return event;
  if (event.kind !== 'update') return { ...event, twin: redactTwin(event.twin, paths) };
  const { tags, desired, reported } = event.change;
  return {
    ...event,
    change: {
      ...event.change,
      tags: tags === undefined ? undefined : redactValues(tags, paths),
      desired: desired === undefined ? undefined : redactSection(desired, paths),
      reported: reported === undefined ? undefined : redactSection(reported, paths),
    },
  };
}

/** The twin without the values of the redacted paths. */
export function redactTwin(twin: Twin, paths: Paths): Twin {
  if (paths.length === 0) return twin;
  return {
    ...twin,
    tags: redactValues(twin.tags, paths),
    desired: redactSection(twin.desired, paths),
    reported: redactSection(twin.reported, paths),
  };
}

function redactSection(section: Section, paths: Paths): Section {
  return { ...section, values: redactValues(section.values, paths) };
}

/** A deletion (`null`) stays one. */
function redactValues(values: JsonObject, paths: Paths): JsonObject {
  return paths.reduce((redacted, path) => {
    const value = valueAt(redacted, path);
    return value === undefined || value === null ? redacted : replaceAt(redacted, path);
  }, values);
}

function replaceAt(values: JsonObject, [key, ...rest]: readonly string[]): JsonObject {
  if (key === undefined) return values;
  const below = values[key];
  return { ...values, [key]: rest.length === 0 || !isObject(below) ? REDACTED : replaceAt(below, rest) };
}
