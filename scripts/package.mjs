// Writes the deployed package: `node scripts/package.mjs [--out FOLDER]`. The default is package/, with package.zip next
// to it. The same sources with the same build time give the same files.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { commitAuthor } from './build/commit-author.mjs';
import { buildConsole } from './build/console.mjs';
import { writeDeployedPackage } from './build/deployed-package.mjs';
import { functionsBuild } from './build/functions.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'package' } } });
const project = resolve(import.meta.dirname, '..');
const folder = resolve(values.out);
const built = new Date().toISOString();

process.chdir(project);
const author = commitAuthor('.');
// The bundle always has the path package/, so that the source map does not depend on the output folder.
const outdir = resolve('package/dist');
// Stack traces need only names and lines. The text of all sources would make the package larger.
const { outputFiles } = await build(
  functionsBuild({ outdir, sourcesContent: false, write: false }, built, author),
);
const consoleFolder = mkdtempSync(join(tmpdir(), 'berth-console-'));
await buildConsole(consoleFolder);
const { name, version, main, engines } = JSON.parse(readFileSync('package.json', 'utf8'));

const written = writeDeployedPackage({
  folder,
  project,
  functions: outputFiles.map(({ path, contents }) => ({
    name: relative(outdir, path).split(sep).join('/'),
    contents,
  })),
  checkedFleet: await checkedFleet(),
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

/** The result of the check of the fleet file, which the sources make. */
async function checkedFleet() {
  const {
    outputFiles: [bundle],
  } = await build({
    stdin: {
      contents:
        "export * from './src/fleet/file/check-fleet.ts'; export * from './src/instance/model-files.ts';",
      resolveDir: project,
    },
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    write: false,
  });
  const code = Buffer.from(bundle.contents).toString('base64');
  const { checkFleet, readModelFiles } = await import(`data:text/javascript;base64,${code}`);
  const file = join(project, 'fleet.json');
  return checkFleet(readFileSync(file, 'utf8'), readModelFiles(file), built);
}
