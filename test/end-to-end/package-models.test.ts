import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { strFromU8, unzipSync } from 'fflate';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MODEL = 'dtmi/com/example/temperaturecontroller-1.json';

/** The project with device models, which the committed one has not. */
let project: string;
beforeAll(() => {
  project = temporaryFolder('models');
  const parts = [
    'src',
    'console',
    'scripts',
    'schemas',
    'tsconfig.json',
    'package.json',
    'host.json',
    'fleet.json',
  ];
  for (const part of parts) cpSync(part, join(project, part), { recursive: true });
  symlinkSync(resolve('node_modules'), join(project, 'node_modules'));
  cpSync('test/fleet/models', join(project, 'models'), { recursive: true });
  writeFileSync(join(project, 'models/README.md'), 'Models of our devices.');
  mkdirSync(join(project, 'models/empty'));
  execFileSync('node', ['scripts/package.mjs', '--out', 'package'], { cwd: project, stdio: 'ignore' });
});

test('the package contains the DTDL files of models/, and no other file of that folder', () => {
  const models = readdirSync(join(project, 'package/models'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

  expect(models.sort()).toEqual(['temperaturecontroller-1.json', 'thermostat-1.json']);
  expect(readFileSync(join(project, 'package/models', MODEL))).toEqual(
    readFileSync(join('test/fleet/models', MODEL)),
  );
});

test('the zip file contains the DTDL files in the same folders', () => {
  const zip = unzipSync(readFileSync(join(project, 'package.zip')));
  const text = strFromU8(zip[`models/${MODEL}`] ?? new Uint8Array());

  expect(Object.keys(zip).filter((name) => name.startsWith('models/'))).toEqual([
    `models/${MODEL}`,
    'models/dtmi/com/example/thermostat-1.json',
  ]);
  expect(text).toBe(readFileSync(join('test/fleet/models', MODEL), 'utf8'));
});
