import type { ErrorDetail } from '../../errors.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson, isObject, type JsonValue } from '../../json/json.ts';
import type { Fleet, Models } from '../fleet.ts';
import { fleetFileSchema } from '../schema.ts';
import { compileFleet } from './compile.ts';
import { readFileText } from './file-text.ts';
import { schemaProblems } from './problems.ts';
import { fleetReferenceProblems } from './references.ts';
import { fleetWarnings } from './warnings.ts';

/** A fleet file is read whole into memory and stored in pieces; nobody needs a larger one. */
export const MAX_FLEET_FILE_BYTES = 1024 * 1024;

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
  const read = readFileText(text);
  if (!read.ok) return refused(read.problems);
  const { json } = read;
  const parsed = fleetFileSchema.safeParse(json);
  const problems = [
    ...(parsed.success ? [] : schemaProblems(parsed.error, json, fleetFileSchema)),
    ...fleetReferenceProblems(json),
  ];
  if (!parsed.success || problems.length > 0) return refused(problems);
  return {
    ok: true,
    fleet: compileFleet(parsed.data, revisionOf(json, models), models),
    warnings: fleetWarnings(parsed.data),
  };
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
