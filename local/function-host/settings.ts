import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { LocalError } from '../errors.ts';

export type AppEnvironment = Record<string, string | undefined>;

const SETTINGS_FILE = z.object({
  IsEncrypted: z.boolean().default(false),
  Values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).default({}),
});

/**
 * Reads a JSON file of the app; undefined if there is none.
 *
 * @throws LocalError `BERTH_LOCAL_APP_FILE` if it is not JSON or does not match `schema`.
 */
export function readAppFile<Content>(
  directory: string,
  name: string,
  schema: z.ZodType<Content>,
): Content | undefined {
  const file = join(directory, name);
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, '')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new LocalError('BERTH_LOCAL_APP_FILE', `${file} is not valid: ${reason}`, { cause: error });
  }
}

/**
 * Copies the `Values` of `local.settings.json` into `environment`. Existing variables have precedence, as with Core
 * Tools. So the committed file contains the defaults, and the environment of a process can change them.
 *
 * @throws LocalError `BERTH_LOCAL_APP_FILE`
 */
export function applyLocalSettings(directory: string, environment: AppEnvironment): void {
  const name = 'local.settings.json';
  const settings = readAppFile(directory, name, SETTINGS_FILE);
  if (settings === undefined) return;
  if (settings.IsEncrypted) {
    throw new LocalError(
      'BERTH_LOCAL_APP_FILE',
      `${join(directory, name)} is encrypted. Run "func settings decrypt".`,
    );
  }
  for (const [key, value] of Object.entries(settings.Values)) environment[key] ??= value;
}

/**
 * An app setting of a binding is missing, not valid, or has a form that only Azure supports. `message` is a clause
 * without a full stop.
 */
export class SettingProblem extends Error {}

/**
 * Replaces each `%NAME%` by the app setting NAME.
 *
 * @throws SettingProblem if a setting is missing or empty. The host does the same.
 */
export function expandSettings(text: string, environment: AppEnvironment): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = environment[name];
    if (value) return value;
    throw new SettingProblem(`the app setting ${name} (for "${text}") is missing`);
  });
}

/**
 * The connection string in the app setting that `connection` names. Like the host, it first reads the setting with
 * the prefix `AzureWebJobs`.
 *
 * @throws SettingProblem if it is missing or identity-based (such as `NAME__fullyQualifiedNamespace`).
 */
export function connectionString(connection: string, environment: AppEnvironment): string {
  const value = environment[`AzureWebJobs${connection}`] || environment[connection];
  if (value) return value;
  const identity = Object.keys(environment).find((name) => name.startsWith(`${connection}__`));
  throw new SettingProblem(
    identity === undefined
      ? `the app setting ${connection}, which must hold a connection string, is missing`
      : `the app setting ${identity} needs an identity-based connection, which works only in Azure; set ${connection} to a connection string`,
  );
}

/** Whether the app setting `AzureWebJobs.NAME.Disabled` disables the function. */
export function isFunctionDisabled(functionName: string, environment: AppEnvironment): boolean {
  return /^(1|true)$/i.test(environment[`AzureWebJobs.${functionName}.Disabled`] ?? '');
}
