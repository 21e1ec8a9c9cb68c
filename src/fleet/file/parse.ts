import type { ErrorDetail } from '../../errors.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson, isObject, type JsonValue } from '../../json/json.ts';
import { edgeSizes } from '../edge/edge-sizes.ts';
import type { Fleet, Models } from '../fleet.ts';
import { fleetFileSchema } from '../schema.ts';
import { compileFleet } from './compile.ts';
import { readFileText } from './file-text.ts';
import { schemaProblems } from './problems.ts';
import { fleetReferenceProblems } from './references.ts';
import { fleetWarnings } from './warnings.ts';

/** The maximum size of a fleet file, which is read into memory and stored in pieces. */
export const MAX_FLEET_FILE_BYTES = 1024 * 1024;

export type ParsedFleet =
  | {
      readonly ok: true;
      readonly fleet: Fleet;
      /** Warnings about valid content with an effect that the operator may not expect. */
      readonly warnings: readonly ErrorDetail[];
    }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] };

/**
 * Reads a fleet file. It never throws: it returns all problems at once, each with its path and the
 * correction.
 *
 * @param models the components of device models, from the files in `models/`
 */
export function parseFleet(text: string, models: Models = {}): ParsedFleet {
  if (Buffer.byteLength(text, 'utf8') > MAX_FLEET_FILE_BYTES) {
    return refused([
      { path: '', message: 'is larger than 1 MB: use rules for groups of devices, not for single devices' },
    ]);
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
  const fleet = compileFleet(parsed.data, revisionOf(json, models), models);
  const sizes = fleet.edge === undefined ? undefined : edgeSizes(fleet.edge);
  if (sizes !== undefined && sizes.problems.length > 0) return refused(sizes.problems);
  return { ok: true, fleet, warnings: [...fleetWarnings(parsed.data), ...(sizes?.warnings ?? [])] };
}

function refused(problems: readonly ErrorDetail[]): ParsedFleet {
  return { ok: false, problems };
}

/**
 * The revision of a file. Only models with components are part of it, because only these can change a patch.
 */
function revisionOf(json: JsonValue, models: Models): string {
  if (!isObject(json)) return sha256Hex(canonicalJson(json));
  const { $schema: _, ...content } = json;
  const isModelled = Object.keys(models).length > 0;
  return sha256Hex(canonicalJson(isModelled ? { ...content, models } : content));
}
