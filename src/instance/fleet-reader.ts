import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CHECKED_FLEET, readCheckedFleet } from '../fleet/file/checked-fleet.ts';
import { fleetFile } from '../settings/settings.ts';
import { readModelFiles } from './model-files.ts';
import type { LaterParts, WebhookOptions } from './webhook-state.ts';

/**
 * How an instance reads its fleet file: from the result of the check when the package was built if that fits, else with the
 * whole check, whose code is then loaded. Never throws.
 *
 * @param folder of `checked-fleet.json`. It need not hold one.
 */
export async function fleetReader(
  { env, directory, build }: WebhookOptions,
  folder: string,
): Promise<LaterParts['read']> {
  const file = resolve(directory, fleetFile(env));
  try {
    const stored = readFileSync(join(folder, CHECKED_FLEET), 'utf8');
    const text = readFileSync(file, 'utf8');
    const checked = readCheckedFleet(stored, { build, text, files: readModelFiles(file) });
    if (checked !== undefined) return () => checked;
  } catch {
    // The check names the file that cannot be read.
  }
  const { parseFleetWithModels } = await import('../fleet/file/models.ts');
  return parseFleetWithModels;
}
