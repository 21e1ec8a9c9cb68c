import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';

/*
 * The limits of a twin: iot-hub-devguide-device-twins.md (2024-02) and "IoT Hub quotas and throttling". IoT Edge's
 * ReportedPropertiesValidator has the same constants.
 */
const MAX_SECTION_BYTES = { tags: 8 * 1024, desired: 32 * 1024, reported: 32 * 1024 } as const;
const MAX_KEY_BYTES = 1024;
const MAX_STRING_BYTES = 4096;
const MAX_DEPTH = 10;
const MIN_INTEGER = -4_503_599_627_370_496;
const MAX_INTEGER = 4_503_599_627_370_495;
const NUMBER_BYTES = 8;
const BOOLEAN_BYTES = 4;
/** Control characters of the segments C0 and C1, `.`, `$` and space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern must find control characters
const FORBIDDEN_IN_KEY = /[\u0000-\u001f\u007f-\u009f.$ ]/;

export type SectionName = keyof typeof MAX_SECTION_BYTES;

/** The problem of a patch or a new section, as a sentence; undefined if it is valid. */
export function problemOfContent(content: JsonObject): string | undefined {
  return problemOfObject(content, 0, '');
}

/** The problem of a section that is too large after a write; undefined if its size is allowed. */
export function problemOfSize(name: SectionName, values: JsonObject): string | undefined {
  const size = sectionSizeOf(values);
  const limit = MAX_SECTION_BYTES[name];
  return size > limit ? `The size of ${name} is ${size} bytes, ${limit} are allowed.` : undefined;
}

/** The size that counts against the limit: keys and strings in UTF-8, 8 bytes a number, 4 a boolean. */
export function sectionSizeOf(value: JsonValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return NUMBER_BYTES;
  if (typeof value === 'boolean') return BOOLEAN_BYTES;
  if (Array.isArray(value))
    return value.reduce((sum: number, item: JsonValue) => sum + sectionSizeOf(item), 0);
  if (!isObject(value)) return 0;
  return Object.entries(value).reduce(
    (sum, [key, item]) => sum + Buffer.byteLength(key) + sectionSizeOf(item),
    0,
  );
}

function problemOfObject(object: JsonObject, depth: number, path: string): string | undefined {
  if (depth > MAX_DEPTH) return `Property or tag ${path} is deeper than ${MAX_DEPTH} levels.`;
  for (const [key, value] of Object.entries(object)) {
    const at = path === '' ? key : `${path}.${key}`;
    const problem = problemOfKey(key, at) ?? problemOfValue(value, depth, at);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOfKey(key: string, at: string): string | undefined {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    return `A property or tag name is longer than ${MAX_KEY_BYTES} bytes.`;
  if (FORBIDDEN_IN_KEY.test(key))
    return `Property or tag name ${at} contains a character that is not allowed.`;
  return undefined;
}

function problemOfValue(value: JsonValue, depth: number, at: string): string | undefined {
  if (typeof value === 'string' && Buffer.byteLength(value) > MAX_STRING_BYTES) {
    return `Value of property or tag ${at} is longer than ${MAX_STRING_BYTES} bytes.`;
  }
  if (typeof value === 'number') return problemOfNumber(value, at);
  if (Array.isArray(value)) return problemOfArray(value, depth + 1, at);
  return isObject(value) ? problemOfObject(value, depth + 1, at) : undefined;
}

function problemOfNumber(value: number, at: string): string | undefined {
  if (!Number.isFinite(value)) return `Value of property or tag ${at} is not a number that can be stored.`;
  if (Number.isInteger(value) && (value < MIN_INTEGER || value > MAX_INTEGER)) {
    return `Value of property or tag ${at} is outside ${MIN_INTEGER} to ${MAX_INTEGER}.`;
  }
  return undefined;
}

/**
 * Arrays are values. They must not contain `null` or objects with `null` members (azure-iot-sdk-csharp#1741).
 */
function problemOfArray(items: readonly JsonValue[], depth: number, at: string): string | undefined {
  if (depth > MAX_DEPTH) return `Property or tag ${at} is deeper than ${MAX_DEPTH} levels.`;
  if (items.some(holdsNull)) return `Value of Property or Tag cannot be null. Error in Property/Tag ${at}`;
  for (const item of items) {
    const problem = problemOfValue(item, depth, at);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function holdsNull(value: JsonValue): boolean {
  if (value === null) return true;
  if (Array.isArray(value)) return value.some(holdsNull);
  return isObject(value) && Object.values(value).some(holdsNull);
}
