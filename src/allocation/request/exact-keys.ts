import { isObject, type JsonValue } from '../../json/json.ts';

/** The known members of an object: `null` for one whose own members do not matter. */
export interface Members {
  readonly [name: string]: Members | null;
}

/** The exact names of the members of an object, each with the names of its own members. */
export interface Names {
  readonly exact: ReadonlyMap<string, Names | null>;
  /** The exact names by name in lower case. */
  readonly lower: ReadonlyMap<string, string>;
  /** Names of other members that are known not to be a name in another case. */
  readonly others: ReadonlySet<string>;
}

/**
 * The names of all known members.
 *
 * @param others names of further members that are usual. They are only compared, which is faster than a look at their case.
 */
export function memberNames(members: Members, others: readonly string[] = []): Names {
  const entries = Object.entries(members);
  return {
    others: new Set(others),
    exact: new Map(
      entries.map(([name, inner]) => [name, inner === null ? null : memberNames(inner, others)]),
    ),
    lower: new Map(entries.map(([name]) => [name.toLowerCase(), name])),
  };
}

/**
 * Returns JSON with the exact keys of the known members, whatever their case was (the exact spelling wins). Known members that
 * are `null` or an empty text are absent. Other members stay: the reader decides about them. JSON that is already exact, as in
 * all captures of DPS, is not copied.
 *
 * @param open names of members in which an empty text is a value.
 */
export function withExactKeys(
  json: JsonValue,
  names: Names,
  open: ReadonlySet<string> = new Set(),
): JsonValue {
  if (!isObject(json) || isExact(json, names, open)) return json;
  const exact = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(json)) {
    const name = names.lower.get(key.toLowerCase());
    if (name === undefined) {
      exact.set(key, value);
      continue;
    }
    if (isAbsent(name, value, open)) continue;
    if (key !== name && exact.has(name)) continue;
    const inner = names.exact.get(name) ?? null;
    exact.set(name, inner === null ? value : withExactKeys(value, inner, open));
  }
  return Object.fromEntries(exact);
}

function isAbsent(name: string, value: JsonValue, open: ReadonlySet<string>): boolean {
  return value === null || (value === '' && !open.has(name));
}

function isExact(json: JsonValue, names: Names, open: ReadonlySet<string>): boolean {
  if (!isObject(json)) return true;
  for (const key in json) {
    const inner = names.exact.get(key);
    if (inner === undefined) {
      if (!names.others.has(key) && names.lower.has(key.toLowerCase())) return false;
      continue;
    }
    const value = json[key] ?? null;
    if (isAbsent(key, value, open)) return false;
    if (inner !== null && !isExact(value, inner, open)) return false;
  }
  return true;
}
