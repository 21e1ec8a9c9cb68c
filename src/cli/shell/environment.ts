import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Environment } from '../../settings/settings.ts';

const localSettings = z.object({ Values: z.record(z.string(), z.string()) });

/**
 * The settings of the app as its host would see them here: the environment, and below it the folder's
 * `local.settings.json`, so that the command finds the local stack without being told.
 */
export function environmentIn(folder: string, env: Environment): Environment {
  const isStateTold = Object.keys(env).some(isAboutState);
  const local = Object.entries(localValues(join(folder, 'local.settings.json')));
  const isDpsTold = Object.keys(env).some((name) => /^BERTH_DPS(__|$)/.test(name));
  const isLeftOut = (name: string): boolean =>
    // The two halves of two accounts would be a third: who says anything of the state says all of it.
    (isStateTold && isAboutState(name)) ||
    // Nor does a DPS that is named lie behind the address of the local stack.
    (isDpsTold && name === 'IOT_ENDPOINT');
  return { ...Object.fromEntries(local.filter(([name]) => !isLeftOut(name))), ...env };
}

function isAboutState(name: string): boolean {
  return /^(BERTH_STATE|AzureWebJobsStorage)(__|$)/.test(name);
}

function localValues(file: string): Environment {
  try {
    const parsed = localSettings.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data.Values : {};
  } catch {
    return {};
  }
}
