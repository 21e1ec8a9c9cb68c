// Writes the package that is deployed: a folder, and a zip file next to it. scripts/package.mjs makes it from the
// sources, scripts/pack/package-project.mjs in a project that has installed Berth.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { zipOf } from './zip.mjs';

/**
 * The folder has the same bytes for the same contents, and so has the zip file with the same version of Node.js on the same kind of processor.
 *
 * @param {object} parts
 * @param {string} parts.folder the folder to write. It is emptied first.
 * @param {string} parts.project the folder with host.json, fleet.json and the device models.
 * @param {readonly {name: string, contents: string | Uint8Array}[]} parts.functions the files of the functions and their source
 *   maps, relative to the folder of the entry.
 * @param {string | undefined} parts.checkedFleet the text of checked-fleet.json, if the fleet file has no problems.
 * @param {string} parts.openApi the OpenAPI document.
 * @param {string} parts.console the folder of the built console. It need not exist.
 * @param {object} parts.manifest package.json.
 * @returns {string} the two paths, relative to the project.
 */
export function writeDeployedPackage({
  folder,
  project,
  functions,
  checkedFleet,
  openApi,
  console,
  manifest,
}) {
  const archive = join(dirname(folder), `${basename(folder)}.zip`);
  rmSync(folder, { recursive: true, force: true });
  rmSync(archive, { force: true });
  mkdirSync(join(folder, 'dist'), { recursive: true });

  const code = [
    ...functions,
    ...(checkedFleet === undefined ? [] : [{ name: 'checked-fleet.json', contents: checkedFleet }]),
  ];
  for (const { name, contents } of code) {
    mkdirSync(dirname(join(folder, 'dist', name)), { recursive: true });
    writeFileSync(join(folder, 'dist', name), contents);
  }
  const copy = (from, file) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(from, join(folder, file));
  };
  // The DTDL files of device models, if any.
  const models = filesBelow(project, 'models').filter((file) => file.endsWith('.json'));
  for (const file of ['host.json', 'fleet.json', ...models]) copy(join(project, file), file);
  // Source maps would only make the package heavier.
  const consoleFiles = filesBelow(console, '.').filter((file) => !file.endsWith('.map'));
  for (const file of consoleFiles) copy(join(console, file), `dist/console/${file}`);
  copy(openApi, 'dist/openapi.json');
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

  const files = [
    ...consoleFiles.map((file) => `dist/console/${file}`),
    ...code.map(({ name }) => `dist/${name}`).sort(),
    'dist/openapi.json',
    'fleet.json',
    'host.json',
    ...models,
    'package.json',
  ];
  writeFileSync(archive, zipOf(files.map((name) => ({ name, contents: readFileSync(join(folder, name)) }))));
  return `${relative(project, folder) || '.'} and ${relative(project, archive)}`;
}

/** The files below a folder, relative to `root`, with slashes, in order; none where there is no such folder. */
function filesBelow(root, path) {
  if (!existsSync(join(root, path))) return [];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}
