import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The Bicep compiler, or one line that says what is missing. */
export type FoundCompiler = { readonly path: string } | { readonly missing: string };

const PROJECT = 'scripts/bicep/bicep.csproj';

/** The version that the checks are written for: the one that the project file restores. */
export const BICEP_VERSION =
  /<BicepVersion>([\d.]+)</.exec(readFileSync(PROJECT, 'utf8'))?.[1] ?? `(not in ${PROJECT})`;

const PROGRAM = process.platform === 'win32' ? 'bicep.exe' : 'bicep';

/**
 * Looks for the compiler: the variable `BICEP`, `bicep` on the PATH, the one of the Azure CLI, the one of azd, and the one
 * that `dotnet restore scripts/bicep` fetches. One that is older than {@link BICEP_VERSION} is passed over.
 */
export function findCompiler(env: NodeJS.ProcessEnv): FoundCompiler {
  if (env.BICEP) {
    const problem = problemOf(env.BICEP);
    return problem === undefined
      ? { path: env.BICEP }
      : { missing: `BICEP is ${env.BICEP}, which ${problem}.` };
  }
  const candidates = [
    ...(env.PATH ?? '').split(delimiter).map((folder) => join(folder, PROGRAM)),
    join(env.AZURE_CONFIG_DIR || join(homedir(), '.azure'), 'bin', PROGRAM),
    join(env.AZD_CONFIG_DIR || join(homedir(), '.azd'), 'bin', PROGRAM),
  ].filter(isProgram);
  const found = candidates.find((candidate) => problemOf(candidate) === undefined) ?? restored(env);
  if (found !== undefined) return { path: found };
  const old = candidates.map((candidate) => ` (${candidate} ${problemOf(candidate)})`).join('');
  return {
    missing: `The Bicep compiler ${BICEP_VERSION} or newer is missing${old}: run "dotnet restore scripts/bicep" or "az bicep upgrade", or set BICEP to its path.`,
  };
}

/** Why a program cannot be the compiler; undefined: it can. */
function problemOf(path: string): string | undefined {
  if (!isProgram(path)) return 'is not a program that can be run';
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const version = /version (\d+(?:\.\d+)*)/.exec(stdout ?? '')?.[1];
  if (version === undefined) return 'does not say its version';
  return isOlder(version, BICEP_VERSION) ? `has the version ${version}` : undefined;
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function restored(env: NodeJS.ProcessEnv): string | undefined {
  const packages = env.NUGET_PACKAGES || join(homedir(), '.nuget/packages');
  const system = { win32: 'win', darwin: 'osx' }[process.platform as string] ?? 'linux';
  return [`${system}-${process.arch}`, `${system}-musl-${process.arch}`]
    .map((platform) => join(packages, `azure.bicep.commandline.${platform}`, BICEP_VERSION, 'tools', PROGRAM))
    .find(isProgram);
}
