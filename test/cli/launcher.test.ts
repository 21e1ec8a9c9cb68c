import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { temporaryFolder } from '../support/temporary-folder.ts';

const json = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
const COMMAND = z
  .object({ name: z.string(), version: z.string(), bin: z.object({ berth: z.string() }) })
  .parse(json('bin/package.json'));
const PROJECT = z
  .object({ name: z.string(), version: z.string(), workspaces: z.array(z.string()) })
  .parse(json('package.json'));

let project: string;
beforeAll(() => {
  project = temporaryFolder('launcher');
  cpSync('bin', join(project, 'bin'), { recursive: true });
});

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(project, 'bin', COMMAND.bin.berth), ...args], { encoding: 'utf8' });

describe('the berth command of a checkout', () => {
  test('says what to run before the first build', () => {
    expect(run('hubs')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'The berth command is not built yet. Run: npm run build\n',
    });
  });

  test('runs the built command with its arguments', () => {
    mkdirSync(join(project, 'dist'));
    writeFileSync(join(project, 'dist', 'berth.cjs'), 'console.log(process.argv.slice(2).join(","))');

    expect(run('hubs', '--json')).toMatchObject({ status: 0, stdout: 'hubs,--json\n', stderr: '' });
  });

  test('is executable, and npm links it through the workspace', () => {
    expect(statSync(join('bin', COMMAND.bin.berth)).mode & 0o111).toBe(0o111);
    expect(PROJECT.workspaces).toEqual(['bin']);
    expect(json('package-lock.json')).toMatchObject({
      packages: { [`node_modules/${COMMAND.name}`]: { resolved: 'bin', link: true } },
    });
  });

  test('has names in one scope, which is a placeholder, and one version', () => {
    expect([PROJECT.name, COMMAND.name]).toEqual(['@your-org/berth', '@your-org/berth-command']);
    expect(COMMAND.version).toBe(PROJECT.version);
  });
});

test('the docs never call npx without --no, which would install a package of this name', () => {
  const files = execFileSync(
    'git',
    ['ls-files', '*.md', 'local/**/*.ts', 'src/**/*.ts', '.github', 'scripts'],
    {
      encoding: 'utf8',
    },
  )
    .split('\n')
    .filter((file) => file !== '' && file !== 'CHANGELOG.md');

  expect(files.filter((file) => /\bnpx berth\b/.test(readFileSync(file, 'utf8')))).toEqual([]);
});
