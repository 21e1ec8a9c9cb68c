import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { projectFiles } from '../support/project-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

const FILES = [
  '.github/workflows/ci.yml',
  '.github/workflows/deploy.yml',
  '.github/workflows/drift.yml',
  '.gitignore',
  'README.md',
  'azure.yaml',
  'enrollments.json',
  'fleet.json',
  'host.json',
  'infra/fleet.production.json',
  'infra/fleet.small.json',
  'infra/main.bicepparam',
  'infra/production.bicepparam',
  'infra/small.bicepparam',
  'local.settings.json',
  'package.json',
];
const HOME = 'node_modules/@your-org/berth';

let projectFile: string;
beforeAll(() => {
  projectFile = join(temporaryFolder('project-files'), 'project.json');
  writeFileSync(projectFile, JSON.stringify(projectFiles()));
});

let folder: string;
beforeEach(() => {
  folder = realpathSync(temporaryFolder('init'));
});

const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();
const json = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const write = (file: string, content: unknown) =>
  writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));

/** Runs `berth init` in the folder. */
async function init(...more: readonly string[]) {
  const { cli, out } = listen();
  const code = await berth({ ...cli, projectFile }, 'init', folder, ...more);
  return { code, out: out() };
}

/** Runs `berth init`, which must fail, and returns the error. */
async function refusal(): Promise<unknown> {
  return berth({ ...listen().cli, projectFile }, 'init', folder).catch((error: unknown) => error);
}

describe('berth init', () => {
  test('writes a project that uses the installed package and the sample fleet', async () => {
    const { code, out } = await init();

    expect([code, filesIn(folder)]).toEqual([0, FILES]);
    expect(json('package.json')).toMatchObject({
      private: true,
      main: `${HOME}/dist/functions.cjs`,
      dependencies: { '@your-org/berth': '0.1.0' },
    });
    const { $schema, ...sample } = JSON.parse(readFileSync('fleet.json', 'utf8'));
    expect(json('fleet.json')).toEqual({ $schema: `./${HOME}/schemas/fleet.schema.json`, ...sample });
    for (const file of FILES) expect(out).toContain(`  ${file}\n`);
    expect(out).toMatch(/Next steps:\n {2}cd .*\n {2}npm install .*\n[\s\S]* {2}npm start /);
  });

  test('writes enrollments and a fleet file without a problem or a warning', async () => {
    await init();
    const { cli, out } = listen();

    const codes = [
      await berth(cli, 'validate', '--strict', join(folder, 'fleet.json')),
      await berth(cli, 'enroll', 'validate', join(folder, 'enrollments.json')),
    ];

    expect([codes, out()]).toEqual([[0, 0], expect.not.stringContaining('warning')]);
  });

  test('reads the templates of the installed package from the parameters of the infrastructure', async () => {
    await init();

    for (const file of FILES.filter((name) => name.endsWith('.bicepparam'))) {
      expect(readFileSync(join(folder, file), 'utf8')).toContain(`using '../${HOME}/infra/main.bicep'\n`);
    }
  });

  test('prints one JSON object with --json', async () => {
    const { out } = await init('--json');

    const { written, next, ...rest } = JSON.parse(out) as Record<'written' | 'next', readonly string[]>;
    expect([[...written].sort(), rest]).toEqual([FILES, { folder }]);
    expect(next).toContain('npm start');
  });

  test('makes the folder', async () => {
    folder = join(folder, 'a', 'b');

    await init();

    expect(filesIn(folder)).toEqual(FILES);
  });

  test('lists the files that exist, and writes nothing', async () => {
    write('fleet.json', '{}');
    write('README.md', '# Mine');

    expect(await refusal()).toMatchObject({
      code: 'BERTH_PROJECT_EXISTS',
      message: expect.stringContaining(folder),
      details: [
        { path: 'README.md', message: 'exists' },
        { path: 'fleet.json', message: 'exists' },
      ],
    });
    expect(filesIn(folder)).toEqual(['README.md', 'fleet.json']);
    expect(readFileSync(join(folder, 'fleet.json'), 'utf8')).toBe('{}');
  });

  test('writes nothing when it runs a second time', async () => {
    await init();
    write('fleet.json', '{"mine":true}');

    expect(await refusal()).toMatchObject({ code: 'BERTH_PROJECT_EXISTS' });
    expect(json('fleet.json')).toEqual({ mine: true });
  });

  test.each<[string, () => void, object]>([
    [
      'a file in the place of a folder',
      () => write('infra', ''),
      { path: 'infra', message: 'is not a folder' },
    ],
    [
      'a link to nothing',
      () => symlinkSync('/nowhere', join(folder, 'host.json')),
      { path: 'host.json', message: 'exists' },
    ],
    [
      'a folder in the place of a file',
      () => mkdirSync(join(folder, 'fleet.json')),
      { path: 'fleet.json', message: 'exists' },
    ],
    [
      'another script of the same name',
      () => write('package.json', { scripts: { start: 'x' } }),
      { path: 'package.json scripts.start', message: expect.stringMatching(/^is "x", and .*: remove it$/) },
    ],
    [
      'another main',
      () => write('package.json', { main: 'app.js' }),
      { path: 'package.json main', message: expect.stringContaining('"app.js"') },
    ],
  ])('refuses %s, and writes nothing', async (_, prepare, detail) => {
    prepare();
    const before = filesIn(folder);

    expect(await refusal()).toMatchObject({ code: 'BERTH_PROJECT_EXISTS', details: [detail] });
    expect(filesIn(folder)).toEqual(before);
  });

  test('refuses a folder that is a file', async () => {
    folder = join(folder, 'file');
    writeFileSync(folder, '');

    expect(await refusal()).toMatchObject({
      code: 'BERTH_PROJECT_EXISTS',
      details: [{ path: '.', message: 'is not a folder' }],
    });
  });

  test.each([
    ['is not JSON', '{'],
    ['is not an object', '[]'],
  ])('refuses a package.json that %s, and writes nothing', async (_, text) => {
    write('package.json', text);

    expect(await refusal()).toMatchObject({ code: 'BERTH_FILE_UNREADABLE' });
    expect(filesIn(folder)).toEqual(['package.json']);
  });

  test('adds to the package.json that npm install has written, and keeps its dependency and its other members', async () => {
    write('package.json', {
      name: 'mine',
      scripts: { test: 'jest' },
      dependencies: { '@your-org/berth': 'file:berth.tgz', other: '1.0.0' },
    });
    mkdirSync(join(folder, HOME), { recursive: true });

    const { out } = await init();

    expect(json('package.json')).toMatchObject({
      name: 'mine',
      main: `${HOME}/dist/functions.cjs`,
      scripts: { test: 'jest', start: `node ${HOME}/dist/local.cjs` },
      dependencies: { '@your-org/berth': 'file:berth.tgz', other: '1.0.0' },
    });
    expect(out).not.toContain('npm install');
  });

  test('keeps a development dependency on Berth as it is', async () => {
    write('package.json', { devDependencies: { '@your-org/berth': '0.0.9' } });

    await init();

    expect(json('package.json')).toMatchObject({ devDependencies: { '@your-org/berth': '0.0.9' } });
    expect(json('package.json')).not.toHaveProperty('dependencies');
  });

  test('replaces the main that npm init writes only if there is no such file', async () => {
    write('package.json', { main: 'index.js' });
    write('index.js', '');
    expect(await refusal()).toMatchObject({ details: [{ path: 'package.json main' }] });

    folder = realpathSync(temporaryFolder('init'));
    write('package.json', { main: 'index.js' });
    await init();

    expect(json('package.json')).toMatchObject({ main: `${HOME}/dist/functions.cjs` });
    expect(existsSync(join(folder, 'index.js'))).toBe(false);
  });
});
