import { readFileSync, writeFileSync } from 'node:fs';
import { BerthError, type ErrorDetail } from '../../errors.ts';
import { type ModelFile, parseFleetWithModels } from '../../fleet/file/models.ts';
import type { ParsedFleet } from '../../fleet/file/parse.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { readModelFiles } from '../../instance/model-files.ts';
import { jsonHazard } from '../../json/json.ts';
import { type Environment, fleetFile } from '../../settings/settings.ts';

/**
 * Reads the text of a file; `-` is standard input.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE`
 */
export function readTextFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** The error for a file that cannot be read. */
export function unreadable(file: string, error: unknown): BerthError {
  return new BerthError(
    'BERTH_FILE_UNREADABLE',
    `${file} cannot be read (${codeOf(error) ?? 'unreadable'}).`,
  );
}

/** The error for a file that cannot be written. */
export function unwritable(file: string, error: unknown): BerthError {
  return new BerthError('BERTH_FILE_UNREADABLE', `${file} cannot be written (${codeOf(error)}).`);
}

/**
 * Writes a new file. An existing file is never changed.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE` with the file that exists or cannot be written
 */
export function writeNewFile(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unwritable(file, error);
    throw new BerthError(
      'BERTH_FILE_UNREADABLE',
      `${file} exists, and is not overwritten: choose another name.`,
    );
  }
}

/** The error code of the file system, such as `ENOENT`. */
function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return code === undefined ? undefined : String(code);
}

/**
 * Reads the DTDL files next to a fleet file; none if the fleet file is standard input.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE`
 */
export function readModelsOf(file: string): readonly ModelFile[] {
  if (file === '-') return [];
  try {
    return readModelFiles(file);
  } catch (error) {
    throw unreadable(`models next to ${file}`, error);
  }
}

/** More levels than any document of Berth or DPS has. */
const MAX_DEPTH = 64;

/**
 * The fleet file of a command about a file: the one of its `--fleet` or argument, else the one of the setting
 * `FLEET_FILE`, else `fleet.json` in the current folder.
 */
export function chosenFleetFile(given: string | undefined, env: Environment): string {
  return given ?? fleetFile(env);
}

/** @throws BerthError `BERTH_FILE_UNREADABLE`, also for invalid JSON, the key `__proto__` and too many levels */
export function parseJsonFile(text: string, file: string): unknown {
  const json = parse(text);
  const hazard = jsonHazard(json, MAX_DEPTH);
  if (json === undefined) throw new BerthError('BERTH_FILE_UNREADABLE', `${file} is not JSON.`);
  if (hazard === undefined) return json;
  const what =
    hazard === '__proto__' ? 'contains the key "__proto__"' : `is nested deeper than ${MAX_DEPTH} levels`;
  throw new BerthError('BERTH_FILE_UNREADABLE', `${file} ${what}.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads a fleet file, which must be valid, with the models next to it.
 *
 * @throws BerthError `BERTH_FLEET_INVALID` with every problem, `BERTH_FILE_UNREADABLE`
 */
export function readFleetFile(file: string): { readonly fleet: Fleet; readonly text: string } {
  const text = readTextFile(file);
  return { fleet: validFleet(parseFleetWithModels(text, readModelsOf(file)), file), text };
}

export function validFleet(parsed: ParsedFleet, file: string): Fleet {
  if (parsed.ok) return parsed.fleet;
  throw withProblems('BERTH_FLEET_INVALID', file, parsed.problems);
}

/** The error for an invalid file, with every problem. */
export function withProblems(
  code: 'BERTH_FLEET_INVALID' | 'BERTH_ENROLLMENTS_INVALID',
  file: string,
  problems: readonly ErrorDetail[],
): BerthError {
  const what = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new BerthError(code, `${file} has ${what}.`, { details: problems });
}
