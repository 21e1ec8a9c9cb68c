// Writes the deployed package: `node scripts/package.mjs [--out FOLDER]`. The default is package/, with package.zip next
// to it. The same sources with the same build time give the same bytes.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { bundleOptions, FUNCTIONS } from './build/bundle.mjs';
import { commitAuthor } from './build/commit-author.mjs';
import { buildConsole } from './build/console.mjs';
import { writeDeployedPackage } from './build/deployed-package.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'package' } } });
const project = resolve(import.meta.dirname, '..');
const folder = resolve(values.out);
const built = new Date().toISOString();

process.chdir(project);
const author = commitAuthor('.');
// The bundle always has the path package/, so that the source map does not depend on the output folder.
const { outputFiles } = await build({
  ...bundleOptions(built, author),
  ...FUNCTIONS,
  outdir: 'package/dist',
  // Stack traces need only names and lines. The text of all sources would make the package larger.
  sourcesContent: false,
  write: false,
});
const consoleFolder = mkdtempSync(join(tmpdir(), 'berth-console-'));
await buildConsole(consoleFolder);
const { name, version, main, engines } = JSON.parse(readFileSync('package.json', 'utf8'));

const written = writeDeployedPackage({
  folder,
  project,
  functions: outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
  openApi: 'schemas/openapi.json',
  console: consoleFolder,
  manifest: {
    name,
    version,
    private: true,
    main,
    engines,
    berth: { build: built, ...(author === '' ? {} : { author }) },
  },
});
rmSync(consoleFolder, { recursive: true });
console.log(`${written}: build ${built}`);
