import { readFileSync } from 'node:fs';
import { BerthError } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { type ParsedFleet, parseFleet } from '../fleet/parse.ts';

/**
 * The text of a file; `-` is the standard input.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE`
 */
export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const code = (cause as { readonly code?: unknown } | null)?.code;
    throw new BerthError(
      'BERTH_FILE_UNREADABLE',
      `${file} cannot be read (${String(code ?? 'unreadable')}).`,
    );
  }
}

/** @throws BerthError `BERTH_FILE_UNREADABLE`, also for what is not JSON */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof BerthError) throw error;
    throw new BerthError('BERTH_FILE_UNREADABLE', `${file} is not JSON.`);
  }
}

/**
 * A fleet file that must be valid.
 *
 * @throws BerthError `BERTH_FLEET_INVALID` with every problem, `BERTH_FILE_UNREADABLE`
 */
export function readFleet(file: string): Fleet {
  return validFleet(parseFleet(readText(file)), file);
}

export function validFleet(parsed: ParsedFleet, file: string): Fleet {
  if (parsed.ok) return parsed.fleet;
  const { problems } = parsed;
  throw new BerthError(
    'BERTH_FLEET_INVALID',
    `${file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}.`,
    { details: problems },
  );
}
