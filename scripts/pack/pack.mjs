// Writes the npm package of Berth: `node scripts/pack/pack.mjs [--out FOLDER] [--version VERSION]`. The default folder is
// packed/. It then holds the package in package/, and NAME-VERSION.tgz, which `npm pack` makes of it. Nothing is published.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'packed' }, version: { type: 'string' } },
});
const out = resolve(values.out);
process.chdir(resolve(import.meta.dirname, '../..'));
const folder = join(out, 'package');
const dist = join(folder, 'dist');
const root = JSON.parse(readFileSync('package.json', 'utf8'));
const version = values.version ?? root.version;
const built = new Date().toISOString();

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
execFileSync(
  process.execPath,
  ['scripts/build/build.mjs', '--published', '--out', dist, '--version', version, '--built', built],
  { stdio: 'inherit' },
);
// The source maps must not contain the path of this folder.
for (const file of readdirSync(dist, { recursive: true }).filter((name) =>
  /^functions\b.*\.map$/.test(name),
)) {
  const map = JSON.parse(readFileSync(join(dist, file), 'utf8'));
  const sources = map.sources.map((source) =>
    // Some packages come with a source map of their own, whose sources are addresses such as `webpack:/…`.
    /^\w+:/.test(source)
      ? source
      : relative('.', resolve(dist, dirname(file), source))
          .split(sep)
          .join('/'),
  );
  writeFileSync(join(dist, file), JSON.stringify({ ...map, sources }));
}
// These scripts use a package too, and the installed Berth has none.
const script = { bundle: true, platform: 'node', target: 'node20.19', logLevel: 'warning' };
await build({
  ...script,
  entryPoints: { package: 'scripts/pack/package-project.mjs' },
  format: 'cjs',
  outdir: dist,
  outExtension: { '.js': '.cjs' },
});
for (const path of [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'LICENSE',
  'docs',
  'schemas',
  'infra',
  'scripts/deploy',
  'scripts/bicep',
]) {
  cpSync(path, join(folder, path), {
    recursive: true,
    filter: (file) => !/[\\/](obj|images)$|\.snapshot\.json$/.test(file),
  });
}
await build({
  ...script,
  entryPoints: ['scripts/deploy/smoke.mjs'],
  format: 'esm',
  outdir: join(folder, 'scripts/deploy'),
  outExtension: { '.js': '.mjs' },
  allowOverwrite: true,
});

const { name, description, license, engines } = root;
writeJson('package.json', {
  name,
  version,
  description,
  license,
  main: 'dist/functions.cjs',
  bin: { berth: 'dist/berth.cjs' },
  engines,
  berth: { build: built },
});
execFileSync('npm', ['pack', '--silent', '--pack-destination', out], {
  cwd: folder,
  stdio: ['ignore', 'inherit', 'inherit'],
  shell: process.platform === 'win32',
});

function writeJson(file, value) {
  writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
}
