import type { ErrorDetail } from '../../errors.ts';
import { sha256Hex } from '../../json/hash.ts';
import { isObject, jsonOrUndefined } from '../../json/json.ts';
import type { Models } from '../fleet.ts';
import type { FleetFile } from '../schema.ts';
import { compileFleet } from './compile.ts';
import type { ModelFile } from './models.ts';
import type { ParsedFleet } from './parse.ts';

/*
 * `npm run package` checks the fleet file and stores the result next to the functions. An instance that finds the same file does
 * not check it again: the check and the library that it needs are a fifth of Berth's share of a cold start.
 */

/** The name of the stored result, next to `functions.cjs`. */
export const CHECKED_FLEET = 'checked-fleet.json';

/** A fleet file without problems, as the check left it. */
export interface FleetCheck {
  /** When the package was built, ISO 8601. Another build may check more. */
  readonly build: string;
  /** `digestOf` the files that were checked. */
  readonly digest: string;
  readonly revision: string;
  /** The file with defaults filled in. */
  readonly file: FleetFile;
  readonly models: Models;
  readonly warnings: readonly ErrorDetail[];
}

/** SHA-256 of a fleet file and of the DTDL files next to it, in hexadecimal. */
export function digestOf(text: string, files: readonly ModelFile[]): string {
  return sha256Hex(JSON.stringify([text, ...files.map((file) => [file.name, file.text])]));
}

/**
 * The fleet of a stored result.
 *
 * @param stored the text of `checked-fleet.json`
 * @param build of the running package
 * @returns undefined if the result is of another build or of other files: they must be checked
 */
export function readCheckedFleet(
  stored: string,
  {
    build,
    text,
    files,
  }: { readonly build: string; readonly text: string; readonly files: readonly ModelFile[] },
): Extract<ParsedFleet, { readonly ok: true }> | undefined {
  const json: unknown = jsonOrUndefined(stored);
  if (!isObject(json) || json.build !== build || json.digest !== digestOf(text, files)) return undefined;
  // The same build has written it.
  const { file, revision, models, warnings } = json as unknown as FleetCheck;
  return { ok: true, fleet: compileFleet(file, revision, models), warnings };
}
