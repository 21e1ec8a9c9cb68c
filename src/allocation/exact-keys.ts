import * as z from 'zod';
import { isObject, type JsonValue } from '../json.ts';

/** The names that the members of an object have, each in lower case first, with the names inside of it. */
export type Names = ReadonlyMap<string, { readonly name: string; readonly inner: Names | undefined }>;

/** The names in a schema of objects, at every depth. */
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
 * The same with the keys of a schema, whatever their case was (the exact spelling wins), and without those members
 * of the schema that are `null`. Other members stay: the schema decides about them. What is right already, as all that DPS was seen to send, is not copied.
 */
export function withExactKeys(json: JsonValue, names: Names): JsonValue {
  if (!isObject(json) || isExact(json, names)) return json;
  const exact = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(json)) {
    const found = names.get(key.toLowerCase());
    if (found === undefined) {
      exact.set(key, value);
      continue;
    }
    if (value === null) continue;
    const { name, inner } = found;
    if (key !== name && exact.has(name)) continue;
    exact.set(name, inner === undefined ? value : withExactKeys(value, inner));
  }
  return Object.fromEntries(exact);
}

function isExact(json: JsonValue, names: Names): boolean {
  if (!isObject(json)) return true;
  for (const key in json) {
    const found = names.get(key.toLowerCase());
    if (found === undefined) continue;
    const value = json[key] ?? null;
    if (found.name !== key || value === null) return false;
    if (found.inner !== undefined && !isExact(value, found.inner)) return false;
  }
  return true;
}
