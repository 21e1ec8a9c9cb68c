import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import type { ConditionTerms } from './condition-terms.ts';
import { type Facts, factAt, withValue } from './facts.ts';
import { OTHER_TEXT } from './sample-facts.ts';

/** A value that a device may send instead of an honest one, to evade a rule. */
export interface HostileInput {
  readonly facts: Facts;
  readonly path: readonly string[];
  /** Undefined if the device omits the value. */
  readonly value: JsonValue | undefined;
}

/**
 * Yields disguises of an honest input, one change at a time. Each path of the payload that a condition reads,
 * and each path above it, becomes absent, null, empty, another kind, or a value that looks similar. Other
 * honest values are not disguises, such as another number, or false instead of true. Values that a device
 * cannot choose stay: DPS verifies its registration id and its enrollment.
 */
export function* hostileInputs(honest: Facts, { paths }: ConditionTerms): Generator<HostileInput> {
  const seen = new Set<string>();
  for (const { path } of paths) {
    if (path[0] !== 'payload') continue;
    for (let length = path.length; length > 0; length -= 1) {
      const place = path.slice(0, length);
      const key = JSON.stringify(place);
      if (seen.has(key)) continue;
      seen.add(key);
      const value = factAt(honest, place);
      // If the honest value is absent, devices may send any value.
      if (value === undefined) continue;
      const members = paths
        .filter((other) => startsWith(other.path, place))
        .map((other) => other.path[length]);
      for (const disguise of disguisesOf(value, members)) {
        // DPS or Berth treats these as no payload.
        if (length === 1 && (disguise === null || isEmptyObject(disguise))) continue;
        yield { facts: withValue(honest, place, disguise), path: place, value: disguise };
      }
    }
  }
}

/**
 * Disguises of a value, the most common first, because messages show the first ones.
 *
 * @param members members of an object that get their own disguises
 */
function disguisesOf(
  value: JsonValue,
  members: readonly (string | undefined)[],
): readonly (JsonValue | undefined)[] {
  const kind = kindOf(value);
  const others = [undefined, null, '', 5, true, [], {}, 0, false, [value], 'true', OTHER_TEXT, ' '];
  return [
    ...others.slice(0, 2),
    ...(kind === 'text' ? ['', ...textDisguises(value as string), OTHER_TEXT, ' '] : []),
    ...(kind === 'list' ? [[], ...listDisguises(value as readonly JsonValue[])] : []),
    ...(kind === 'object' ? [{}, ...objectDisguises(value as JsonObject, members)] : []),
    ...(kind === 'number' ? [String(value), ` ${String(value)}`] : []),
    ...(kind === 'boolean' ? [String(value)] : []),
    ...others.filter((other) => kindOf(other) !== kind),
  ];
}

function textDisguises(text: string): readonly string[] {
  const [lower, upper] = [text.toLowerCase(), text.toUpperCase()];
  return [
    lower,
    `${text} `,
    upper,
    text.slice(0, 1) + lower.slice(1),
    ` ${text}`,
    `${text}\u00a0`,
    `\u00a0${text}`,
    `${text}\u200b`,
    `${text}\n`,
    replaced(text, CYRILLIC),
    replaced(text, fullWidth),
    text.normalize('NFD'),
  ].filter((disguise) => disguise !== text);
}

function listDisguises(items: readonly JsonValue[]): readonly JsonValue[] {
  const [first] = items;
  if (first === undefined) return [];
  const disguises = typeof first === 'string' ? textDisguises(first) : [];
  // The list keeps its length, because a condition may read an item by its index.
  const all = (item: JsonValue) => items.map(() => item);
  return [
    ...disguises.map(all),
    ...[null, '', 5, true, OTHER_TEXT, {}].filter((other) => kindOf(other) !== kindOf(first)).map(all),
    ...(isObject(first) ? objectDisguises(first).map(all) : []),
    first,
  ];
}

/** The object with a further member, and with each member absent, null or disguised. */
function objectDisguises(
  object: JsonObject,
  except: readonly (string | undefined)[] = [],
): readonly JsonObject[] {
  return [
    { ...object, [OTHER_TEXT]: OTHER_TEXT },
    ...Object.entries(object).flatMap(([key, member]) => {
      if (except.includes(key)) return [];
      const { [key]: _, ...others } = object;
      const disguises =
        typeof member === 'string'
          ? ['', ...textDisguises(member)]
          : isObject(member)
            ? objectDisguises(member)
            : [];
      return [others, ...[null, ...disguises].map((disguise) => ({ ...object, [key]: disguise }))];
    }),
  ];
}

function startsWith(path: readonly string[], beginning: readonly string[]): boolean {
  return beginning.every((key, index) => path[index] === key);
}

/** Cyrillic letters that look like Latin ones. */
const CYRILLIC: Readonly<Record<string, string>> = {
  A: 'А',
  B: 'В',
  C: 'С',
  E: 'Е',
  H: 'Н',
  I: 'І',
  J: 'Ј',
  K: 'К',
  M: 'М',
  O: 'О',
  P: 'Р',
  S: 'Ѕ',
  T: 'Т',
  X: 'Х',
  Y: 'У',
  D: 'Ԁ',
  F: 'Ғ',
  G: 'Ԍ',
  a: 'а',
  c: 'с',
  e: 'е',
  i: 'і',
  j: 'ј',
  o: 'о',
  p: 'р',
  s: 'ѕ',
  x: 'х',
  y: 'у',
  d: 'ԁ',
  U: 'Ս',
};

function replaced(
  text: string,
  letters: Readonly<Record<string, string>> | ((letter: string) => string),
): string {
  return [...text]
    .map((letter) => (typeof letters === 'function' ? letters(letter) : (letters[letter] ?? letter)))
    .join('');
}

/** The full-width form of an ASCII character (U+FF01 to U+FF5E), which East Asian keyboards write. */
function fullWidth(letter: string): string {
  const code = letter.charCodeAt(0);
  return code > 0x20 && code < 0x7f ? String.fromCharCode(code + 0xfee0) : letter;
}

function isEmptyObject(value: JsonValue | undefined): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

function kindOf(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'object') return 'object';
  return typeof value === 'string' ? 'text' : typeof value;
}
