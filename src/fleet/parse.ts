import type { ErrorDetail } from '../errors.ts';
import { sha256Hex } from '../hash.ts';
import { canonicalJson, isObject, type JsonValue, jsonHazard } from '../json.ts';
import { compileFleet } from './compile.ts';
import type { Fleet, Models } from './fleet.ts';
import { schemaProblems } from './problems.ts';
import { referenceProblems } from './references.ts';
import { fleetFileSchema } from './schema.ts';
import { fleetWarnings } from './warnings.ts';

/** A fleet file is read whole into memory and stored in pieces; nobody needs a larger one. */
export const MAX_FLEET_FILE_BYTES = 1024 * 1024;

/** Twins are at most 10 deep, and they lie a few levels down. */
const MAX_DEPTH = 32;

export type ParsedFleet =
  | {
      readonly ok: true;
      readonly fleet: Fleet;
      /** What is valid and will still surprise. */
      readonly warnings: readonly ErrorDetail[];
    }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] };

/**
 * Reads a fleet file. Never throws: every problem comes back at once, each with its path and what to write
 * instead.
 *
 * @param models what the files in `models/` say of device models
 */
export function parseFleet(text: string, models: Models = {}): ParsedFleet {
  if (Buffer.byteLength(text, 'utf8') > MAX_FLEET_FILE_BYTES) {
    return refused([{ path: '', message: 'is larger than 1 MB: describe devices by rules, not one by one' }]);
  }
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    return refused([{ path: '', message: `is not JSON${whereIn(text, error)}` }]);
  }
  const hazard = jsonHazard(json, MAX_DEPTH);
  if (hazard === 'too deep')
    return refused([{ path: '', message: `is nested deeper than ${MAX_DEPTH} levels` }]);
  if (hazard === '__proto__') {
    return refused([{ path: '', message: 'holds the key "__proto__": choose another name' }]);
  }
  const parsed = fleetFileSchema.safeParse(json);
  const problems = [
    ...(parsed.success ? [] : schemaProblems(parsed.error, json)),
    ...referenceProblems(json as JsonValue),
  ];
  if (!parsed.success || problems.length > 0) return refused(problems);
  return {
    ok: true,
    fleet: compileFleet(parsed.data, revisionOf(json as JsonValue, models), models),
    warnings: fleetWarnings(parsed.data),
  };
}

/** Where a text stops being JSON. The parser's own words quote the text, which may be no text at all. */
export function whereIn(text: string, error: unknown): string {
  const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
  if (position === undefined) return text.trim() === '' ? ': it is empty' : ': it ends too early';
  const before = text.slice(0, Number(position)).split('\n');
  return `: look at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

function refused(problems: readonly ErrorDetail[]): ParsedFleet {
  return { ok: false, problems };
}

/** Models count only where they can change a patch: by the components that they have. */
function revisionOf(json: JsonValue, models: Models): string {
  if (!isObject(json)) return sha256Hex(canonicalJson(json));
  const { $schema: _, ...content } = json;
  const isModelled = Object.keys(models).length > 0;
  return sha256Hex(canonicalJson(isModelled ? { ...content, models } : content));
}
