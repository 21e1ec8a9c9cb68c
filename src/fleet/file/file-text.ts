import type { ErrorDetail } from '../../errors.ts';
import { type JsonValue, jsonHazard } from '../../json/json.ts';
import { EMPTY, parseJsonText, positionText } from '../../json/json-text.ts';
import { pathText } from './problems.ts';

export type ReadFileText =
  | { readonly ok: true; readonly json: JsonValue }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] };

/** The 10 levels of twins, plus the levels above them. */
const MAX_DEPTH = 32;
const MAX_KEY = 64;

/**
 * Reads the JSON of a file that an operator writes: the fleet file, the enrollments file or a device model.
 * Problems are invalid JSON, repeated keys and too many levels. Messages show keys but no values.
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
    return refused([{ path: '', message: 'contains the key "__proto__": use another name' }]);
  }
  if (repeated.length === 0) return { ok: true, json };
  return refused(
    repeated.map(({ path, first, again }) => ({
      path: pathText(path.map((key) => (typeof key === 'string' ? key.slice(0, MAX_KEY) : key))),
      message: `is written twice, at ${positionText(first)} and at ${positionText(again)}: remove or rename one`,
    })),
  );
}

function refused(problems: readonly ErrorDetail[]): ReadFileText {
  return { ok: false, problems };
}
