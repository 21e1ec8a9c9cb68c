import * as z from 'zod';
import { isObject, type JsonValue } from '../../json/json.ts';

/**
 * The exact names of the members of an object, by name in lower case, each with the names of its own members.
 */
export type Names = ReadonlyMap<string, { readonly name: string; readonly inner: Names | undefined }>;

/** The names of all members in a schema of objects. */
export function namesIn(schema: unknown): Names | undefined {
  if (schema instanceof z.ZodOptional) return namesIn(schema.unwrap());
  if (!(schema instanceof z.ZodObject)) return undefined;
  return new Map(
    Object.entries(schema.shape).map(([name, member]) => [
      name.toLowerCase(),
      { name, inner: namesIn(member) },
    ]),
  );
}

/**
 * Returns JSON with the exact keys of a schema, whatever their case was (the exact spelling wins). Members of
 * the schema that are `null` or an empty text are absent. Other members stay: the schema decides about them.
 * JSON that is already exact, as in all captures of DPS, is not copied.
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
    const found = names.get(key.toLowerCase());
    if (found === undefined) {
      exact.set(key, value);
      continue;
    }
    if (isAbsent(found.name, value, open)) continue;
    const { name, inner } = found;
    if (key !== name && exact.has(name)) continue;
    exact.set(name, inner === undefined ? value : withExactKeys(value, inner, open));
  }
  return Object.fromEntries(exact);
}

function isAbsent(name: string, value: JsonValue, open: ReadonlySet<string>): boolean {
  return value === null || (value === '' && !open.has(name));
}

function isExact(json: JsonValue, names: Names, open: ReadonlySet<string>): boolean {
  if (!isObject(json)) return true;
  for (const key in json) {
    const found = names.get(key.toLowerCase());
    if (found === undefined) continue;
    const value = json[key] ?? null;
    if (found.name !== key || isAbsent(found.name, value, open)) return false;
    if (found.inner !== undefined && !isExact(value, found.inner, open)) return false;
  }
  return true;
}
