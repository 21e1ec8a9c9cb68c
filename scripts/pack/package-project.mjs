// `npm run package` of a project that has installed Berth: `node dist/package.cjs [--out FOLDER]`. It writes the deployed
// package from the functions of the installed Berth and the files of the project. The default is package/, with
// package.zip next to it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkFleet } from '../../src/fleet/file/check-fleet.ts';
import { readModelFiles } from '../../src/instance/model-files.ts';
import { authorToCome, CHUNKS } from '../build/bundle.mjs';
import { commitAuthor } from '../build/commit-author.mjs';
import { writeDeployedPackage } from '../build/deployed-package.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'package' } } });
const project = process.cwd();
const missing = ['fleet.json', 'host.json'].filter((file) => !existsSync(join(project, file)));
if (missing.length > 0) {
  console.error(
    `${missing.join(' and ')} missing in ${project}. Run npm run package in the project's folder.`,
  );
  process.exit(1);
}

const { version, engines, berth } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8'));
// Instances obey the package with the newest build time. A package with a new fleet file is a new build, even if the
// functions are the same.
const built = new Date().toISOString();
const functions = readFileSync(join(__dirname, 'functions.cjs'), 'utf8');
if (!functions.includes(berth.build)) {
  console.error(`functions.cjs does not contain its build time ${berth.build}. Install Berth again: npm ci`);
  process.exit(1);
}
const author = commitAuthor(project);
// JSON is a literal of JavaScript too.
const ownFunctions = functions
  .replaceAll(JSON.stringify(authorToCome(berth.build)), () => JSON.stringify(author))
  .replaceAll(berth.build, built);
const { name = 'fleet' } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));

const written = writeDeployedPackage({
  folder: resolve(values.out),
  project,
  functions: [
    { name: 'functions.cjs', contents: ownFunctions },
    { name: 'functions.cjs.map', contents: readFileSync(join(__dirname, 'functions.cjs.map')) },
    ...readdirSync(join(__dirname, CHUNKS))
      .sort()
      .map((file) => ({ name: `${CHUNKS}/${file}`, contents: readFileSync(join(__dirname, CHUNKS, file)) })),
  ],
  checkedFleet: checkFleet(
    readFileSync(join(project, 'fleet.json'), 'utf8'),
    readModelFiles(join(project, 'fleet.json')),
    built,
  ),
  openApi: join(__dirname, 'openapi.json'),
  console: join(__dirname, 'console'),
  manifest: {
    name,
    version,
    private: true,
    main: 'dist/functions.cjs',
    engines,
    berth: { build: built, ...(author === '' ? {} : { author }) },
  },
});
if (author === '') {
  console.error(
    'This folder has no git commit, so the package names no author. Rollouts with approvers need one.',
  );
}
console.log(`${written}: build ${built}`);
