import type { ErrorDetail } from '../../errors.ts';
import { type JsonValue, jsonHazard } from '../../json/json.ts';
import { EMPTY, parseJsonText, positionText } from '../../json/json-text.ts';
import { pathText } from './problems.ts';

export type ReadFileText =
  | { readonly ok: true; readonly json: JsonValue }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] };

/** Twins are at most 10 deep, and they lie a few levels down. */
const MAX_DEPTH = 32;
const MAX_KEY = 64;

/**
 * The JSON of a file that a person writes (the fleet file, the enrollments file, a device model), or why it is not fit to be read:
 * it is not JSON, a key is written twice, it is nested too deep. Keys are named, values are not.
 */
export function readFileText(text: string, maxDepth = MAX_DEPTH): ReadFileText {
  const parsed = parseJsonText(text.replace(/^\uFEFF/, ''));
  if (!parsed.ok) {
    const at = parsed.what === EMPTY ? '' : `${positionText(parsed.at)}: `;
    return refused([{ path: '', message: `is not JSON: ${at}${parsed.what}` }]);
  }
  const { json, repeated } = parsed;
  const hazard = jsonHazard(json, maxDepth);
  if (hazard === 'too deep')
    return refused([{ path: '', message: `is nested deeper than ${maxDepth} levels` }]);
  if (hazard === '__proto__') {
    return refused([{ path: '', message: 'holds the key "__proto__": choose another name' }]);
  }
  if (repeated.length === 0) return { ok: true, json };
  return refused(
    repeated.map(({ path, first, again }) => ({
      path: pathText(path.map((key) => (typeof key === 'string' ? key.slice(0, MAX_KEY) : key))),
      message: `is written twice, at ${positionText(first)} and at ${positionText(again)}: only one would count; remove or rename one`,
    })),
  );
}

function refused(problems: readonly ErrorDetail[]): ReadFileText {
  return { ok: false, problems };
}
