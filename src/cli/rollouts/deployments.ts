import { BerthError } from '../../errors.ts';
import type { Environment } from '../../settings/settings.ts';
import { stamp } from '../../settings/settings.ts';
import { invalid } from '../shell/arguments.ts';
import { list } from '../shell/inputs.ts';
import { openState, type State } from '../shell/state.ts';

/** The state tables of one deployment. */
export interface Deployment {
  readonly state: State;
  /** The stamp whose hubs it has. Undefined: all hubs of the fleet file; those of other deployments have no counts here. */
  readonly stamp: string | undefined;
}

/** The input that names the deployments. Each deployment has its own state tables, and runs its own rollouts. */
export const DEPLOYMENTS = {
  '--state <uri>': list(
    'the table service of a deployment, as https://ACCOUNT.table.core.windows.net; give several for several deployments. setting:NAME takes the address, or a connection string, from a setting (default: BERTH_STATE, else AzureWebJobsStorage)',
  ),
};

/** How an address names a setting, as secrets in the fleet file do. */
const SETTING = 'setting:';
/** The settings that would open other tables. */
const OTHER_STATE = /^(BERTH_STATE|AzureWebJobsStorage)(__|$)/;

/**
 * The deployments that a command works with, in the order in which they are given.
 *
 * @param given the values of `--state`; empty: the one deployment of the settings.
 * @throws BerthError `BERTH_ARGUMENT_INVALID`; `BERTH_SETTING_INVALID` if a setting is missing or invalid
 */
export function deploymentsOf(given: readonly string[], env: Environment): readonly Deployment[] {
  if (given.length === 0) return [{ state: openState(env), stamp: stamp(env) }];
  const settings = given.map((text) => settingsOf(text, env));
  const twice = given.find((text, index) => given.indexOf(text) !== index);
  if (twice !== undefined) throw invalid(`--state is "${twice}" twice: name each deployment once.`);
  return settings.map((own) => ({ state: openState({ ...withoutState(env), ...own }), stamp: undefined }));
}

function withoutState(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OTHER_STATE.test(name)));
}

function settingsOf(text: string, env: Environment): Environment {
  if (!text.startsWith(SETTING)) {
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
      return { BERTH_STATE__tableServiceUri: text };
    // The text may be a connection string, so it is not repeated.
    throw invalid(
      '--state is not an address: write https://ACCOUNT.table.core.windows.net. For a connection string, which holds a key, write setting:NAME with the name of an environment variable.',
    );
  }
  const name = text.slice(SETTING.length);
  const value = env[name];
  if (!value) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      `--state is "${text}", and the setting ${name || 'without a name'} is not set: set it to the address of the table service or to a connection string.`,
    );
  }
  return /^https?:\/\//.test(value) ? { BERTH_STATE__tableServiceUri: value } : { BERTH_STATE: value };
}
