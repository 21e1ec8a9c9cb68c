import { isObject, type JsonValue } from '../json/json.ts';

/**
 * Limits of device and module twins. Source: Microsoft, "Understand and use device twins in IoT Hub"
 * (iot-hub-devguide-device-twins, 2024-02) and the IoT Hub quotas page.
 */
export const TWIN_LIMITS = {
  /** Bytes of a section. The size rule counts UTF-8 keys and strings, 8 for a number and 4 for a boolean. */
  sectionBytes: { tags: 8 * 1024, desired: 32 * 1024, reported: 32 * 1024 },
  keyBytes: 1024,
  stringBytes: 4 * 1024,
  /**
   * Nested objects and arrays, without the section itself. The tenth may hold properties: the example of that page is
   * `one` to `ten` with a property in `ten`.
   */
  depth: 10,
  /** ±2^52. */
  minInteger: -4_503_599_627_370_496,
  maxInteger: 4_503_599_627_370_495,
} as const;

/** Why the hub would refuse a value in a twin section with 400004. */
export interface TwinProblem {
  /** The path inside the section; empty for the section itself. */
  readonly path: readonly string[];
  /** Holds no values, because it is stored in receipts. */
  readonly message: string;
}

/** Everything in a section, or in a patch of it, that IoT Hub would refuse. */
export function twinProblems(
  section: keyof typeof TWIN_LIMITS.sectionBytes,
  value: JsonValue,
): readonly TwinProblem[] {
  const problems: TwinProblem[] = [];
  visit(value, [], 0, false, problems);
  return [...problems, ...sectionProblem(section, twinSizeOf(value))];
}

/** The problem of a section of this size, if it has one. */
export function sectionProblem(
  section: keyof typeof TWIN_LIMITS.sectionBytes,
  bytes: number,
): readonly TwinProblem[] {
  const limit = TWIN_LIMITS.sectionBytes[section];
  return bytes <= limit
    ? []
    : [{ path: [], message: `takes ${bytes} bytes; IoT Hub allows ${limit} for ${section}` }];
}

/** The longest text whose characters are counted here. A call of Node.js takes as long as sixty characters. */
const SHORT = 64;

/** The UTF-8 bytes of a text. */
export function utf8Bytes(text: string): number {
  const { length } = text;
  if (length > SHORT) return Buffer.byteLength(text, 'utf8');
  for (let index = 0; index < length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text, 'utf8');
  }
  return length;
}

/** Size in bytes by the hub's own rule (see `TWIN_LIMITS`). `null` deletes a property, so only its key counts. */
export function twinSizeOf(value: JsonValue): number {
  switch (typeof value) {
    case 'string':
      return utf8Bytes(value);
    case 'number':
      return 8;
    case 'boolean':
      return 4;
    default:
      if (value === null) return 0;
      if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + twinSizeOf(item), 0);
      return Object.entries(value).reduce(
        (sum, [key, member]) => sum + utf8Bytes(key) + twinSizeOf(member),
        0,
      );
  }
}

/**
 * Why IoT Hub refuses a key; undefined: it does not. It refuses control characters (C0 and C1), `.`, `$`, spaces and more
 * than 1 KB.
 */
export function keyProblem(key: string): string | undefined {
  if (key === '') return 'has an empty key, which IoT Hub refuses';
  if (utf8Bytes(key) > TWIN_LIMITS.keyBytes) return 'has a key longer than 1 KB';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what IoT Hub refuses
  if (/[\u0000-\u001f\u007f-\u009f.$ ]/.test(key)) {
    return 'has a control character, ".", "$" or a space in its key, which IoT Hub refuses';
  }
  return undefined;
}

/**
 * Why IoT Hub would refuse a value; undefined: it would not. An empty key inside the value is refused too.
 *
 * @param depth the number of keys from its section to it; 0 is the section itself
 */
export function valueProblem(value: JsonValue, depth: number): string | undefined {
  if (typeof value === 'boolean' || (typeof value === 'string' && value.length <= SHORT)) return undefined;
  const problems: TwinProblem[] = [];
  visit(value, [], depth, false, problems);
  return problems[0]?.message;
}

function visit(
  value: JsonValue,
  path: readonly string[],
  depth: number,
  inArray: boolean,
  problems: TwinProblem[],
): void {
  const problem = (message: string) => problems.push({ path, message });
  if (depth > TWIN_LIMITS.depth && typeof value === 'object' && value !== null) {
    problem(`is nested deeper than ${TWIN_LIMITS.depth} levels`);
    return;
  }
  if (value === null) {
    if (inArray) problem('is null inside an array, which IoT Hub refuses (400004)');
  } else if (typeof value === 'string') {
    if (utf8Bytes(value) > TWIN_LIMITS.stringBytes) problem('is a string over 4 KB');
  } else if (typeof value === 'number') {
    const outside = value < TWIN_LIMITS.minInteger || value > TWIN_LIMITS.maxInteger;
    if (Number.isInteger(value) && outside) problem('is an integer outside ±2^52');
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => {
      visit(item, [...path, String(index)], depth + 1, true, problems);
    });
  } else if (isObject(value)) {
    for (const [key, member] of Object.entries(value)) {
      const wrong = keyProblem(key);
      if (wrong !== undefined) problems.push({ path: [...path, key], message: wrong });
      visit(member, [...path, key], depth + 1, inArray, problems);
    }
  }
}
