import { type JsonValue, jsonOrUndefined } from '../src/json/json.ts';

/**
 * Most levels of objects and lists in a JSON text of a client. JSON.stringify, and all code that visits each level, would
 * exhaust the stack on tens of thousands. The limit of Azure is not documented.
 */
const MAX_LEVELS = 500;

/**
 * The value of a JSON text. Undefined if the text is not JSON, or is nested deeper than any program nests it.
 *
 * @example shallowJson('{"a":[1]}') // { a: [1] }
 */
export function shallowJson(text: string): JsonValue | undefined {
  const value = jsonOrUndefined(text);
  return value === undefined || isDeeper(value, MAX_LEVELS) ? undefined : value;
}

function isDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}
