// Writes the deployed package: `node scripts/package.mjs [--out FOLDER]`. The default is package/, with package.zip next
// to it. The same sources with the same build time give the same bytes.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { zipSync } from 'fflate';
import { bundleOptions, FUNCTIONS } from './build/bundle.mjs';
import { buildConsole } from './build/console.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'package' } } });
const project = resolve(import.meta.dirname, '..');
const folder = resolve(values.out);
const archive = join(dirname(folder), `${basename(folder)}.zip`);
const built = new Date().toISOString();

process.chdir(project);
const author = commitAuthor();
rmSync(folder, { recursive: true, force: true });
rmSync(archive, { force: true });
mkdirSync(join(folder, 'dist'), { recursive: true });

// The bundle always has the path package/, so that the source map does not depend on the output folder.
const { outputFiles } = await build({
  ...bundleOptions(built, author),
  ...FUNCTIONS,
  outdir: 'package/dist',
  // Stack traces need only names and lines. The text of all sources would make the package larger.
  sourcesContent: false,
  write: false,
});
for (const { path, contents } of outputFiles) writeFileSync(join(folder, 'dist', basename(path)), contents);

// The DTDL files of device models, if any.
const models = filesBelow('models').filter((file) => file.endsWith('.json'));
for (const file of ['host.json', 'fleet.json', ...models]) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  copyFileSync(file, join(folder, file));
}
await buildConsole(join(folder, 'dist/console'));
const consoleFiles = readdirSync(join(folder, 'dist/console'))
  .sort()
  .map((file) => `dist/console/${file}`);
copyFileSync('schemas/openapi.json', join(folder, 'dist/openapi.json'));

const { name, version, main, engines } = JSON.parse(readFileSync('package.json', 'utf8'));
const manifest = {
  name,
  version,
  private: true,
  main,
  engines,
  berth: { build: built, ...(author === '' ? {} : { author }) },
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

const files = [
  ...consoleFiles,
  'dist/functions.cjs',
  'dist/functions.cjs.map',
  'dist/openapi.json',
  'fleet.json',
  'host.json',
  ...models,
  'package.json',
];
// All entries have the earliest time of the zip format, so that the bytes do not depend on clock and time zone.
const entry = { mtime: new Date(1980, 0, 1), os: 3, attrs: (0o100644 << 16) >>> 0, level: 9 };
writeFileSync(
  archive,
  zipSync(Object.fromEntries(files.map((file) => [file, [readFileSync(join(folder, file)), entry]]))),
);

/** The files below a folder of the project, with slashes, in order; none where there is no such folder. */
function filesBelow(path) {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).split(sep).join('/'))
    .sort();
}

console.log(`${relative('.', folder) || '.'} and ${relative('.', archive)}: build ${built}`);

/** The author of the commit, who may not approve its rollouts. Empty outside of a git clone. */
function commitAuthor() {
  try {
    const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['log', '-1', '--format=%an <%ae>'], options).trim();
  } catch {
    return '';
  }
}
