import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as z from 'zod';

const read = (file: string) => readFileSync(file, 'utf8');

/** Of `ci.yml`: the versions of Node.js that the checks run on. */
const matrixSchema = z.object({
  jobs: z.object({
    check: z.object({ strategy: z.object({ matrix: z.object({ node: z.array(z.string()) }) }) }),
  }),
});
/** Of `package.json`: the oldest version of Node.js. */
const manifestSchema = z.object({ engines: z.object({ node: z.string().regex(/^>=\d+\.\d+\.\d+$/) }) });

const TESTED = matrixSchema.parse(parse(read('.github/workflows/ci.yml'))).jobs.check.strategy.matrix.node;
const OLDEST = manifestSchema.parse(JSON.parse(read('package.json'))).engines.node.slice('>='.length);
const DEPLOYED = /^param nodeVersion string = '(\d+)'$/m.exec(read('infra/main.bicep'))?.[1];

/** What the parameter `nodeVersion` of a Bicep file may be. */
function allowedIn(file: string): readonly string[] {
  const [, list = ''] =
    /@allowed\(\[([^\]]*)\]\)\n@description\('[^']*'\)\nparam nodeVersion string/.exec(read(file)) ?? [];
  return [...list.matchAll(/'(\d+)'/g)].map(([, version = '']) => version);
}

describe('the versions of Node.js', () => {
  test('CI runs Node.js 20.19, 22 and 24', () => {
    expect(TESTED).toEqual(['20.19', '22', '24']);
  });

  test('the oldest version is the one that package.json allows and the bundles target', () => {
    expect(OLDEST).toBe(`${TESTED[0]}.0`);
    expect(read('scripts/build/bundle.mjs')).toContain(`target: 'node${TESTED[0]}'`);
  });

  test('the newest version is the one that a deployment runs by default', () => {
    expect(DEPLOYED).toBe(TESTED.at(-1));
    expect(read('infra/README.md')).toContain(`| \`nodeVersion\` | \`${DEPLOYED}\` |`);
    expect(read('docs/deploy.md')).toContain(`Node.js ${DEPLOYED}`);
  });

  test.each(['main', 'modules/stamp', 'modules/allocator', 'modules/function-app'])(
    'infra/%s.bicep allows only versions that CI runs, including the default',
    (file) => {
      const allowed = allowedIn(`infra/${file}.bicep`);

      expect(allowed).toContain(DEPLOYED);
      expect(allowed.filter((version) => !TESTED.includes(version))).toEqual([]);
    },
  );

  test('the package is built and deployed with the version that runs it', () => {
    const versions = [...read('.github/workflows/deploy.yml').matchAll(/node-version: (.*)$/gm)];

    expect(versions.length).toBeGreaterThan(0);
    expect(versions.map(([, version]) => version).filter((version) => version !== DEPLOYED)).toEqual([]);
  });
});
