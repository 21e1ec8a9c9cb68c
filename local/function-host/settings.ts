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
 * @throws LocalError `BERTH_LOCAL_APP_FILE` when it is not JSON or not what `schema` describes.
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
    throw new LocalError('BERTH_LOCAL_APP_FILE', `${file} cannot be used: ${reason}`, { cause: error });
  }
}

/**
 * Puts the `Values` of `local.settings.json` into `environment`, where a variable that is there already wins
 * (Core Tools does the same), so that the committed file holds defaults and a process can be told otherwise.
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
      `${join(directory, name)} is encrypted; run "func settings decrypt" or set "IsEncrypted" to false.`,
    );
  }
  for (const [key, value] of Object.entries(settings.Values)) environment[key] ??= value;
}

/**
 * A binding names an app setting that is not there, or one of a form that only Azure can use; `message` is
 * one sentence.
 */
export class SettingProblem extends Error {}

/**
 * Replaces each `%NAME%` by the app setting NAME.
 *
 * @throws SettingProblem when a setting is missing or empty, as the host's name resolver does.
 */
export function expandSettings(text: string, environment: AppEnvironment): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = environment[name];
    if (value) return value;
    throw new SettingProblem(`the app setting ${name} (for "${text}") is missing`);
  });
}

/**
 * The connection string in the app setting that `connection` names, looked up as the host does: first with
 * the prefix `AzureWebJobs`.
 *
 * @throws SettingProblem when it is missing or identity-based (`NAME__fullyQualifiedNamespace` and the like).
 */
export function connectionString(connection: string, environment: AppEnvironment): string {
  const value = environment[`AzureWebJobs${connection}`] || environment[connection];
  if (value) return value;
  const identity = Object.keys(environment).find((name) => name.startsWith(`${connection}__`));
  throw new SettingProblem(
    identity === undefined
      ? `the app setting ${connection}, which must hold a connection string, is missing`
      : `the app setting ${identity} asks for an identity-based connection, which only Azure has; put a connection string into ${connection}`,
  );
}

/** App setting `AzureWebJobs.NAME.Disabled`, documented for disabling one function. */
export function isFunctionDisabled(functionName: string, environment: AppEnvironment): boolean {
  return /^(1|true)$/i.test(environment[`AzureWebJobs.${functionName}.Disabled`] ?? '');
}
