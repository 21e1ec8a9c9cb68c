import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { BerthError } from '../../errors.ts';
import { isLocalPlace } from '../../settings/local-place.ts';
import { type Environment, iotEndpoint, stateAccount } from '../../settings/settings.ts';
import type { StateAccount } from '../../store/tables/tables.ts';
import { stateAccountName } from './state-place.ts';

const localSettings = z.object({ Values: z.record(z.string(), z.string()) });

/**
 * The settings of the app, as the Functions host would read them: the environment, then `local.settings.json`
 * of the folder. The command therefore finds the local stack without configuration. As soon as the environment names a part of
 * a deployment in Azure, the file's settings that name the local stack are left out: a command would read one and change the
 * other. `IGNORED_STATE` then says why there is no storage account.
 */
export function environmentIn(folder: string, env: Environment): Environment {
  const isStateSet = Object.keys(env).some(isAboutState);
  const inAzure = Object.keys(env).filter((name) => PLACE.test(name) && isInAzure(env[name]));
  const local = Object.entries(localValues(join(folder, 'local.settings.json')));
  const isLeftOut = ([name, value]: readonly [string, string | undefined]): boolean =>
    // If the environment names the state account, the file must not: a mix of both would be a third account.
    (isStateSet && isAboutState(name)) ||
    (inAzure.length > 0 && (name === ENDPOINT || (PLACE.test(name) && isLocalPlace(value ?? ''))));
  const settings = { ...Object.fromEntries(local.filter((setting) => !isLeftOut(setting))), ...env };
  const isStateIgnored =
    !isStateSet && local.some(isStatePlace) && !Object.entries(settings).some(isStatePlace);
  return isStateIgnored ? { ...settings, [IGNORED_STATE]: inAzure.join(' and ') } : settings;
}

/**
 * Not a setting of an operator: the variables that name a deployment in Azure, if the storage account of `local.settings.json` is
 * left out for them and no other is set.
 */
export const IGNORED_STATE = 'local.settings.json: state ignored because of';

/**
 * The account of the state tables, for commands.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` if no setting names it, with the variables for which the local one is ignored
 */
export function commandStateAccount(env: Environment): StateAccount {
  const names = env[IGNORED_STATE];
  if (names === undefined || Object.entries(env).some(isStatePlace)) return stateAccount(env);
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    `No storage account for the state tables is set. The one in local.settings.json is on this machine, and is ignored because the environment names a deployment in Azure with ${names}: set BERTH_STATE__tableServiceUri to the table service of the deployment, or unset ${names}.`,
  );
}

/** The address of the local hubs and of the local DPS. */
const ENDPOINT = 'IOT_ENDPOINT';
/** Settings that name a part of a deployment: its state, its DPS, its Event Hub, its exports. */
const PLACE =
  /^(BERTH_STATE|AzureWebJobsStorage|BERTH_DPS|BERTH_EXPORTS|TWIN_EVENTS)(__(accountName|tableServiceUri|blobServiceUri|queueServiceUri|hostName|resourceId|fullyQualifiedNamespace))?$/;

function isInAzure(value: string | undefined): boolean {
  return Boolean(value) && !isLocalPlace(value ?? '');
}

/**
 * Refuses settings with which a command would read the state of one fleet and call the hubs or the DPS of another: one in Azure,
 * the other on this machine. For commands that use both.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function requireOnePlace(env: Environment): void {
  const account = commandStateAccount(env);
  const isLocal = isLocalPlace(
    account.kind === 'identity' ? account.tableServiceUri : account.connectionString,
  );
  const state = `The state tables (BERTH_STATE or AzureWebJobsStorage) are in ${stateAccountName(account)}`;
  if (!isLocal && iotEndpoint(env) !== undefined) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      `${state}, and ${ENDPOINT} names the hubs of the local stack: remove one of the two settings.`,
    );
  }
  const dps = ['BERTH_DPS', 'BERTH_DPS__hostName'].find((name) => isInAzure(env[name]));
  if (isLocal && dps !== undefined && iotEndpoint(env) === undefined) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      `${state}, and ${dps} names a DPS in Azure: set BERTH_STATE__tableServiceUri to the table service of the deployment, or remove ${dps}.`,
    );
  }
}

function isStatePlace([name, value]: readonly [string, string | undefined]): boolean {
  return isAboutState(name) && PLACE.test(name) && Boolean(value);
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
