import { readFileSync } from 'node:fs';
import { parseFleet } from '../src/fleet/file/parse.ts';
import type { Fleet } from '../src/fleet/fleet.ts';
import { isObject, ownMember } from '../src/json/json.ts';
import { LocalError } from './errors.ts';
import type { AppNeeds } from './iot-hub/index.ts';

/**
 * Reads the fleet file, which defines the hubs to start.
 *
 * @throws LocalError `BERTH_LOCAL_FLEET_INVALID` with every problem.
 */
export function readLocalFleet(file: string): Fleet {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LocalError(
      'BERTH_LOCAL_FLEET_INVALID',
      `${file} cannot be read. Run the command in the folder of the project.`,
      { cause },
    );
  }
  const parsed = parseFleet(text);
  if (parsed.ok) return parsed.fleet;
  const [first, ...others] = parsed.problems;
  const more = others.length === 0 ? '' : ` (and ${others.length} more, below)`;
  throw new LocalError(
    'BERTH_LOCAL_FLEET_INVALID',
    `${file} is not valid: ${first?.path} ${first?.message}${more}.`.replaceAll('  ', ' '),
    { details: others },
  );
}

/**
 * What a fleet file needs of the app now, by the text of the file: the deployed app may be newer than this process.
 *
 * @param before the needs by the last text that could be read
 */
export function appNeedsIn(file: string, before: AppNeeds): AppNeeds {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return before;
  }
  if (!isObject(json)) return before;
  const { edge, allocation } = json;
  return {
    appliesManifests: edge !== undefined,
    setsScopes: isObject(allocation) && allocation.setScopes === true,
    callsMethods: ownMember(ownMember(ownMember(allocation, 'moves'), 'ask'), 'method') !== undefined,
  };
}
