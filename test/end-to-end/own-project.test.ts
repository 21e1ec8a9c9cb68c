import { execFile } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);
const manifestSchema = z.object({
  version: z.string(),
  berth: z.object({ build: z.string(), author: z.string().optional() }),
});

const json = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
const HOME = 'node_modules/@your-org/berth';
/** npm finds no settings and no workspace of this repository. */
const ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^FLEET_FILE$/.test(name)),
);

const [FIRST, SECOND] = ['0.70.6', '0.70.7'] as const;

/** The folder with two packed versions, and a folder in which a person installs the first and makes a project. */
let packed: string;
let project: string;
beforeAll(async () => {
  packed = temporaryFolder('packed');
  project = temporaryFolder('own-project');
  await run(process.execPath, ['scripts/pack/pack.mjs', '--out', packed, '--version', FIRST]);
  await npm('install', '--save-exact', '--prefer-offline', archive(FIRST));
  await npx('init');
  await packSecond();
}, 300_000);

/** The same package with another version, since a second build would take as long as all other steps. */
async function packSecond(): Promise<void> {
  const folder = join(packed, 'second');
  cpSync(join(packed, 'package'), folder, { recursive: true });
  for (const file of ['package.json', 'dist/berth.cjs', 'dist/project.json']) {
    const text = readFileSync(join(folder, file), 'utf8');
    expect([file, text.includes(FIRST)]).toEqual([file, true]);
    writeFileSync(join(folder, file), text.replaceAll(FIRST, SECOND));
  }
  await run('npm', ['pack', '--pack-destination', packed], { cwd: folder, env: ENV });
}

const archive = (version: string) => join(packed, `your-org-berth-${version}.tgz`);
const npm = (...args: readonly string[]) =>
  run('npm', ['--no-audit', '--no-fund', ...args], { cwd: project, env: ENV });
const npx = (...args: readonly string[]) =>
  run('npx', ['--no', 'berth', ...args], { cwd: project, env: ENV });
const own = (file: string) => readFileSync(join(project, file), 'utf8');

describe('the npm package', () => {
  test('depends on no other package, so that npm installs one', () => {
    const manifest = z.record(z.string(), z.unknown()).parse(json(join(packed, 'package', 'package.json')));

    expect(Object.keys(manifest).filter((key) => /dependencies|overrides/i.test(key))).toEqual([]);
    expect(readdirSync(join(project, 'node_modules', '@your-org'))).toEqual(['berth']);
    expect(readdirSync(join(project, 'node_modules')).filter((name) => !/^[.@]/.test(name))).toEqual([]);
  });

  test('contains no path of the machine that packed it', () => {
    const folder = join(packed, 'package');
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );

    for (const file of files) {
      const text = readFileSync(join(file.parentPath, file.name), 'utf8');
      for (const place of [process.cwd(), folder]) {
        if (place.length > 1) expect([file.name, text.includes(`${place}/`)]).toEqual([file.name, false]);
      }
    }
  });
});

describe('a project in an empty folder', () => {
  test('has a fleet file and enrollments that pass every check', async () => {
    await expect(npx('validate', '--strict')).resolves.toMatchObject({
      stdout: expect.stringMatching(/^fleet\.json is valid: 4 hubs, revision [0-9a-f]{12}\.\n$/),
    });
    await expect(npx('enroll', 'validate')).resolves.toMatchObject({
      stdout: 'enrollments.json is valid: 1 group, 0 individual enrollments.\n',
    });
  });

  test('brings a fleet in sync with npm start, also after an upgrade, which changes no file of its owner', async () => {
    // Large hubs have a budget that makes no one wait.
    const edited = own('fleet.json').replaceAll('"tier": "S1"', '"tier": "S3", "units": 10');
    writeFileSync(join(project, 'fleet.json'), edited);

    const before = filesOfOwner();
    await npm('install', '--save-exact', '--prefer-offline', archive(SECOND));
    const version = (await run('npx', ['--no', '--', 'berth', '--version'], { cwd: project, env: ENV }))
      .stdout;
    const { stdout } = await npm(
      'start',
      '--silent',
      '--',
      '--once',
      '--devices',
      '3',
      '--free-ports',
      '--json',
    );

    expect(version).toBe(`${SECOND}\n`);
    expect(filesOfOwner()).toEqual(before);
    expect(before['fleet.json']).toContain('"S3"');
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      devices: 3,
      twins: { pending: 0, drifted: 0, unknown: 0 },
    });
  });

  test('makes the deployed package from its own fleet file, with a build time of its own', async () => {
    await npm('run', 'package');
    const folder = join(project, 'package');
    const { berth } = manifestSchema.parse(json(join(folder, 'package.json')));
    const installed = manifestSchema.parse(json(join(project, HOME, 'package.json')));

    expect(readFileSync(join(folder, 'fleet.json'), 'utf8')).toBe(own('fleet.json'));
    expect(berth.build > installed.berth.build).toBe(true);
    const functions = readFileSync(join(folder, 'dist', 'functions.cjs'), 'utf8');
    expect([functions.includes(berth.build), functions.includes(installed.berth.build)]).toEqual([
      true,
      false,
    ]);
    expect(existsSync(join(project, 'package.zip'))).toBe(true);
  });

  test('names the author of the last commit of the project in its package, so that approvers work', async () => {
    const author = 'Zoë "Z" O\'Neil <zoe@contoso.com>';
    const git = (...args: readonly string[]) => run('git', args, { cwd: project, env: ENV });
    await git('init', '--quiet');
    await git(
      '-c',
      'user.name=c',
      '-c',
      'user.email=c@x',
      'commit',
      '--allow-empty',
      '-m',
      'x',
      '--author',
      author,
    );
    await npm('run', 'package', '--', '--out', 'authored');
    const functions = own('authored/dist/functions.cjs');

    expect(manifestSchema.parse(json(join(project, 'authored', 'package.json'))).berth.author).toBe(author);
    expect(functions).toContain(JSON.stringify(author));
    expect(functions).not.toMatch(/berth:author-to-come:\d/);
  });

  test('runs the scripts of the workflows from the installed package, in the folder of the project', async () => {
    const script = join(HOME, 'scripts', 'deploy', 'fleet-report.sh');

    const { stdout } = await run('bash', [script, 'fleet.json', 'report/1-fleet.md'], {
      cwd: project,
      env: ENV,
    });

    expect(stdout).toMatch(/^fleet\.json is valid: [\s\S]*The fleet file is unchanged\.\n/);
    expect(own('report/1-fleet.md')).toContain('fleet.json is valid');
  });

  test('names only scripts and templates that the installed package has', () => {
    const named = readdirSync(project, { recursive: true, encoding: 'utf8' })
      .filter((file) => !file.startsWith('node_modules') && /\.(yml|yaml|json|bicepparam|md)$/.test(file))
      .flatMap((file) => [...own(file).matchAll(/node_modules\/@your-org\/berth\/[\w./-]*\w/g)])
      .map(([path]) => path);

    expect(named.length).toBeGreaterThan(20);
    expect([...new Set(named)].filter((path) => !existsSync(join(project, path)))).toEqual([]);
  });

  test('refuses to make a project where one is', async () => {
    await expect(npx('init')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[BERTH_PROJECT_EXISTS]\n  README.md exists\n'),
    });
  });
});

/** The files that `berth init` has written, except package.json, whose one number an upgrade changes. */
function filesOfOwner(): Readonly<Record<string, string>> {
  const written = z.record(z.string(), z.string()).parse(json(join(project, HOME, 'dist', 'project.json')));
  const texts = Object.keys(written).map((file) => [file, own(file)] as const);
  const { dependencies: _, ...manifest } = z.looseObject({}).parse(json(join(project, 'package.json')));
  return { ...Object.fromEntries(texts), 'package.json': JSON.stringify(manifest) };
}
