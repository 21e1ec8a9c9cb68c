import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { BICEP_VERSION, findCompiler } from '../support/bicep/find-compiler.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { describeBicep, diagnosticsOf, filesOf, formatted, type Template, templateOf } from './bicep.ts';

const FILES = globSync(['infra/**/*.bicep', 'infra/*.bicepparam']).sort();
const PARAMETER_FILES = FILES.filter((path) => path.endsWith('param'));

describe('the Bicep compiler', () => {
  const found = findCompiler(process.env);

  test('is there, where CI is set', () => {
    if ('path' in found) return;
    if (process.env.CI) throw new Error(found.missing);
    process.stderr.write(`The tests of the templates in infra/ are skipped. ${found.missing}\n`);
  });

  /** A program that says a version, as the compiler does. */
  const compiler = (folder: string, version: string) => {
    const path = join(folder, 'bicep');
    writeFileSync(path, `#!/bin/sh\necho "Bicep CLI version ${version} (0123456789)"\n`);
    chmodSync(path, 0o755);
    return path;
  };

  test('is the one that BICEP names, before the one on the PATH', () => {
    const [named, onPath] = [temporaryFolder('bicep'), temporaryFolder('bicep')];
    compiler(onPath, '99.1.0');

    expect(findCompiler({ PATH: onPath, BICEP: compiler(named, '99.0.0') })).toEqual({
      path: join(named, 'bicep'),
    });
    expect(findCompiler({ PATH: onPath })).toEqual({ path: join(onPath, 'bicep') });
  });

  test('is the one of az, then the one of azd, where the PATH has none', () => {
    const [az, azd] = [temporaryFolder('bicep'), temporaryFolder('bicep')];
    for (const folder of [az, azd]) mkdirSync(join(folder, 'bin'));
    const env = { PATH: '', AZURE_CONFIG_DIR: az, AZD_CONFIG_DIR: azd, NUGET_PACKAGES: join(az, 'no') };

    expect(findCompiler(env)).toEqual({ missing: expect.stringContaining('dotnet restore scripts/bicep') });
    compiler(join(azd, 'bin'), '99.0.0');
    expect(findCompiler(env)).toEqual({ path: join(azd, 'bin/bicep') });
    compiler(join(az, 'bin'), '99.0.0');
    expect(findCompiler(env)).toEqual({ path: join(az, 'bin/bicep') });
  });

  test('is not one that is older than the version of the project file, and the message says so', () => {
    const folder = temporaryFolder('bicep');
    const nowhere = join(folder, 'no');
    const old = compiler(folder, '0.9.1');
    const env = { AZURE_CONFIG_DIR: nowhere, AZD_CONFIG_DIR: nowhere, NUGET_PACKAGES: nowhere };

    expect(findCompiler({ ...env, PATH: folder })).toEqual({
      missing: `The Bicep compiler ${BICEP_VERSION} or newer is missing (${old} has the version 0.9.1): run "dotnet restore scripts/bicep" or "az bicep upgrade", or set BICEP to its path.`,
    });
    expect(findCompiler({ ...env, BICEP: old })).toEqual({
      missing: `BICEP is ${old}, which has the version 0.9.1.`,
    });
  });
});

describe('.ci/run', () => {
  test('restores the compiler before the tests run', () => {
    const script = readFileSync('.ci/run', 'utf8');

    expect(script.indexOf('dotnet restore scripts/bicep')).toBeGreaterThan(0);
    expect(script.indexOf('dotnet restore scripts/bicep')).toBeLessThan(script.indexOf('npm test'));
  });
});

describeBicep('infra/', () => {
  // A template is compiled with its modules, and a parameter file with its template.
  test.each(['infra/main.bicep', ...PARAMETER_FILES])('%s compiles without a diagnostic', async (path) => {
    expect(await diagnosticsOf(path)).toEqual([]);
  });

  test.each(FILES)('%s is formatted', async (path) => {
    expect(readFileSync(path, 'utf8')).toBe(await formatted(path));
  });

  test('every file is part of a deployment', async () => {
    const used = new Set((await Promise.all(PARAMETER_FILES.map(filesOf))).flat());

    expect(FILES.filter((path) => !used.has(path))).toEqual([]);
  });

  test('every parameter and output of every template has a description', async () => {
    expect(undescribed('main', await templateOf('infra/main.bicep'))).toEqual([]);
  });

  test('bicepconfig.json turns every rule into a warning, since rules at error level hide what is wrong', () => {
    const { rules } = JSON.parse(readFileSync('infra/bicepconfig.json', 'utf8')).analyzers.core as {
      readonly rules: Readonly<Record<string, { readonly level: string }>>;
    };

    expect(Object.values(rules).filter(({ level }) => level !== 'warning')).toEqual([]);
    expect(Object.keys(rules)).toEqual(
      expect.arrayContaining([
        'no-unused-params',
        'no-explicit-any',
        'use-user-defined-types',
        'no-hardcoded-location',
      ]),
    );
  });
});

/** Parameters and outputs without a description, in a template and the templates that it deploys. */
function undescribed(
  name: string,
  { parameters = {}, outputs = {}, resources = {} }: Template,
): readonly string[] {
  const own = [...Object.entries(parameters), ...Object.entries(outputs)]
    .filter(([, { metadata }]) => metadata?.description === undefined)
    .map(([key]) => `${name}: ${key}`);
  const nested = Object.entries(resources).flatMap(([key, resource]) => {
    const { template } =
      (resource as { readonly properties?: { readonly template?: Template } }).properties ?? {};
    return template === undefined ? [] : undescribed(key, template);
  });
  return [...own, ...nested];
}
