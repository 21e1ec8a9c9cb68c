import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Environment } from '../instance/settings.ts';

const localSettings = z.object({ Values: z.record(z.string(), z.string()) });

/**
 * The settings of the app as its host would see them here: the environment, and below it the folder's
 * `local.settings.json`, so that the command finds the local stack without being told.
 */
export function environmentIn(folder: string, env: Environment): Environment {
  return { ...localValues(join(folder, 'local.settings.json')), ...env };
}

function localValues(file: string): Environment {
  try {
    const parsed = localSettings.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data.Values : {};
  } catch {
    return {};
  }
}
