import { isObject, type JsonObject, type JsonValue } from '../json.ts';

/** What a device says of one desired property. */
export interface Report {
  /** The value in effect; undefined where the acknowledgement is about the whole object and leaves it out. */
  readonly value: JsonValue | undefined;
  /** `ac`, like an HTTP status; undefined for a plain echo of the value. */
  readonly code: number | undefined;
  /** `av`: the desired version that it is about. */
  readonly version: number | undefined;
  /** `ad`, ready to follow a sentence; empty where there is none. */
  readonly description: string;
  /** How many keys of the path lead to what was acknowledged; fewer than the path has for a whole object. */
  readonly depth: number;
}

/**
 * The report about a property: a Plug and Play acknowledgement `{value, ac, av, ad}`, of the property or of the
 * object that it lies in (which "may hold a subset"), or a plain echo. Undefined: none.
 *
 * Source: concepts-convention (2025-01). Its samples leave out `av` or `ad`, so `value` and a numeric `ac` make
 * an acknowledgement.
 */
export function reportAt(reported: JsonObject, path: readonly string[]): Report | undefined {
  let node: JsonValue | undefined = reported;
  for (let depth = 0; depth < path.length; depth += 1) {
    const key = path[depth] as string;
    if (!isObject(node) || !Object.hasOwn(node, key)) return undefined;
    node = node[key];
    if (isAcknowledgement(node)) return acknowledged(node, path.slice(depth + 1), depth + 1);
  }
  if (node === undefined) return undefined;
  return { value: node, code: undefined, version: undefined, description: '', depth: path.length };
}

type Acknowledgement = JsonObject & { readonly ac: number };

function isAcknowledgement(node: JsonValue | undefined): node is Acknowledgement {
  return isObject(node) && typeof node.ac === 'number' && node.value !== undefined;
}

function acknowledged(node: Acknowledgement, rest: readonly string[], depth: number): Report {
  let value: JsonValue | undefined = node.value;
  for (const key of rest) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return {
    value,
    code: node.ac,
    version: typeof node.av === 'number' ? node.av : undefined,
    description: typeof node.ad === 'string' && node.ad !== '' ? `: ${node.ad.slice(0, 100)}` : '',
    depth,
  };
}
