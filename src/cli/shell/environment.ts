import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Environment } from '../../settings/settings.ts';

const localSettings = z.object({ Values: z.record(z.string(), z.string()) });

/**
 * The settings of the app, as the Functions host would read them: the environment, then `local.settings.json`
 * of the folder. The command therefore finds the local stack without configuration.
 */
export function environmentIn(folder: string, env: Environment): Environment {
  const isStateSet = Object.keys(env).some(isAboutState);
  const local = Object.entries(localValues(join(folder, 'local.settings.json')));
  const isDpsSet = Object.keys(env).some((name) => /^BERTH_DPS(__|$)/.test(name));
  const isLeftOut = (name: string): boolean =>
    // If the environment names the state account, the file must not: a mix of both would be a third account.
    (isStateSet && isAboutState(name)) ||
    // If the environment names a DPS, the address of the local stack does not apply to it.
    (isDpsSet && name === 'IOT_ENDPOINT');
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
