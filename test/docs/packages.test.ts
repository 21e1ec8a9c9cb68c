import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';

const pins = z.record(z.string(), z.string());
const manifestSchema = z.object({
  // The overrides of one package are an object below its name.
  overrides: z.record(z.string(), z.union([z.string(), pins])),
  dependencies: pins,
  devDependencies: pins,
  allowScripts: z.record(z.string(), z.boolean()),
});
/** Of `package-lock.json`, lockfileVersion 3: the packages by their path, `node_modules/NAME` or deeper. */
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      // Old packages have a list here, which npm does not use.
      engines: z.union([z.object({ node: z.string().optional() }), z.array(z.string())]).optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
});

const json = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
const MANIFEST = manifestSchema.parse(json('package.json'));
const PACKAGES = Object.entries(lockSchema.parse(json('package-lock.json')).packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ ...entry, name: path.slice(path.lastIndexOf('node_modules/') + 13) }));
/** What `overrides` puts in the place of a package that Berth never loads: a package with nothing in it. */
const EMPTY = 'npm:empty-npm-package@1.0.0';
const RECORD = readFileSync('docs/decisions/0007-versions-for-node-20.md', 'utf8');

const namesOf = (packages: readonly { readonly name: string }[]) =>
  [...new Set(packages.map(({ name }) => name))].sort();

/** Whether `engines` says `>=` a version above 20.19. */
function needsNewer(engines: (typeof PACKAGES)[number]['engines']): boolean {
  const node = engines === undefined || Array.isArray(engines) ? undefined : engines.node;
  const [, major, minor = '0'] = /^>=\s*(\d+)(?:\.(\d+))?/.exec(node ?? '') ?? [];
  return major !== undefined && Number(major) + Number(minor) / 1000 > 20.019;
}

describe('the packages', () => {
  test('package.json pins every dependency and override to one version', () => {
    const versions = {
      ...MANIFEST.dependencies,
      ...MANIFEST.devDependencies,
    };
    const overrides = Object.values(MANIFEST.overrides).flatMap((pinned) =>
      typeof pinned === 'string' ? [pinned] : Object.values(pinned),
    );

    const wanted = [...Object.values(versions), ...overrides].filter((version) => version !== EMPTY);
    expect(wanted.filter((version) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  test('package.json turns off the install script of every package that has one', () => {
    expect(MANIFEST.allowScripts).toEqual(
      Object.fromEntries(
        namesOf(PACKAGES.filter((entry) => entry.hasInstallScript)).map((name) => [name, false]),
      ),
    );
  });

  test('decision 7 lists every package that says that it needs a newer Node.js than 20.19', () => {
    const listed = [...RECORD.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name);

    expect(listed).toEqual(namesOf(PACKAGES.filter(({ engines }) => needsNewer(engines))));
  });

  test('decision 49 lists every package that is left out', () => {
    const record = readFileSync('docs/decisions/0049-fewer-packages.md', 'utf8');
    const rows = record.split('\n').filter((line) => line.startsWith('| `'));
    const listed = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    );

    const leftOut = Object.entries(MANIFEST.overrides).flatMap(([name, pinned]) =>
      typeof pinned === 'string'
        ? [[name, pinned] as const].filter(([, version]) => version === EMPTY)
        : Object.entries(pinned).filter(([, version]) => version === EMPTY),
    );
    expect(listed.sort()).toEqual(leftOut.map(([name]) => name).sort());
  });

  test('package-lock.json has no address of a registry', () => {
    const lock = readFileSync('package-lock.json', 'utf8');

    expect(lock.match(/"resolved": "\w+:.*"/g)).toBeNull();
  });
});
