import { isObject, type JsonObject, type JsonValue, sameJson } from '../../../src/json/json.ts';

/** An operation of JSON Patch (RFC 6902). */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: JsonValue }
  | { readonly op: 'remove'; readonly path: string };

/**
 * The operations that make one object from another: one for each value that differs, at the deepest path. A list is replaced
 * as a whole.
 *
 * @example jsonPatch({ a: { b: 1 } }, { a: { b: 2 } }) → [{ op: 'replace', path: '/a/b', value: 2 }]
 */
export function jsonPatch(before: JsonObject, after: JsonObject, path = ''): readonly JsonPatchOperation[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(metadataFirst);
  return names.flatMap((name) => {
    const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const [from, to] = [before[name], after[name]];
    if (to === undefined) return [{ op: 'remove' as const, path: at }];
    if (from === undefined) return [{ op: 'add' as const, path: at, value: to }];
    if (isObject(from) && isObject(to)) return jsonPatch(from, to, at);
    return sameJson(from, to) ? [] : [{ op: 'replace' as const, path: at, value: to }];
  });
}

/** Events of real hubs begin with the changes of `$metadata`. */
function metadataFirst(one: string, other: string): number {
  return Number(other === '$metadata') - Number(one === '$metadata');
}
