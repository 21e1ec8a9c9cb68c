import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as z from 'zod';
import { describeBicep, templateOf } from '../infra/bicep.ts';

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
/** As the table of parameters has it, which a test of infra/ compares with the template. */
const DEPLOYED = /^\| `nodeVersion` \| `(\d+)` \|/m.exec(read('infra/README.md'))?.[1];

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
    expect(read('docs/deploy.md')).toContain(`Node.js ${DEPLOYED}`);
  });

  describeBicep('of a deployment', () => {
    test('the default is the newest, and only versions that CI runs are allowed', async () => {
      const { parameters = {} } = await templateOf('infra/main.bicep');

      expect(parameters.nodeVersion?.defaultValue).toBe(DEPLOYED);
      expect(parameters.nodeVersion?.allowedValues).toContain(DEPLOYED);
      expect(
        parameters.nodeVersion?.allowedValues?.filter((version) => !TESTED.includes(String(version))),
      ).toEqual([]);
    });
  });

  test('the package is built and deployed with the version that runs it', () => {
    const versions = [...read('.github/workflows/deploy.yml').matchAll(/node-version: (.*)$/gm)];

    expect(versions.length).toBeGreaterThan(0);
    expect(versions.map(([, version]) => version).filter((version) => version !== DEPLOYED)).toEqual([]);
  });
});
