// The files of a new project, which `berth init` writes. They are made from the files of this repository, so that there is
// one sample fleet.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectWorkflows } from './project-workflows.mjs';
import { swap } from './swap.mjs';

const INFRA = ['main.bicepparam', 'production.bicepparam', 'small.bicepparam'];
const FLEETS = ['fleet.production.json', 'fleet.small.json'];

/** The command of the hook in azure.yaml. A shell has this before the name of an environment variable. */
const keptSettings = (variable, home = '') =>
  `node ${home}scripts/deploy/kept-settings.mjs --parameters infra/main.bicepparam --must-know --subscription="${variable}AZURE_SUBSCRIPTION_ID"`;

/**
 * @param {string} root the folder of this repository.
 * @param {{name: string, version: string, engines: object}} berth its package.json.
 * @returns {Record<string, string>} the text of each file, by its path with slashes.
 */
export function projectFiles(root, { name, version, engines }) {
  const read = (file) => readFileSync(join(root, file), 'utf8');
  const home = `node_modules/${name}`;
  const own = (file) => read(`scripts/pack/project/${file}`).replaceAll('@your-org/berth', name);
  const infra = (file) =>
    swap(file, read(`infra/${file}`), [["'./main.bicep'", `'../${home}/infra/main.bicep'`]]);
  const withSchema = (file, folder) =>
    swap(file, read(file), [[`"${folder}/schemas/`, `"${folder}/${home}/schemas/`]]);
  const enrollments = {
    $schema: `./${home}/schemas/enrollments.schema.json`,
    webhook: { url: 'https://contoso-berth.azurewebsites.net/api/allocate', apiVersion: '2021-10-01' },
    groups: [{ id: 'fleet', attestation: { type: 'symmetricKey' } }],
  };
  const manifest = {
    private: true,
    main: `${home}/dist/functions.cjs`,
    engines,
    scripts: {
      start: `node ${home}/dist/local.cjs`,
      local: `node ${home}/dist/local.cjs --without-functions`,
      device: `node ${home}/dist/device.cjs`,
      monitor: `node ${home}/dist/monitor.cjs`,
      check: [
        'berth validate --strict',
        'berth enroll validate',
        'npm start -- --once --free-ports --fresh --state .berth-check',
      ].join(' && '),
      package: `node ${home}/dist/package.cjs`,
    },
    dependencies: { [name]: version },
  };
  return {
    'README.md': own('README.md'),
    '.gitignore': own('gitignore'),
    'package.json': json(manifest),
    'fleet.json': withSchema('fleet.json', '.'),
    'enrollments.json': json(enrollments),
    'host.json': read('host.json'),
    'local.settings.json': read('local.settings.json'),
    // The installed command is built already.
    'azure.yaml': swap('azure.yaml', read('azure.yaml'), [
      [`run: ${keptSettings('$')}`, `run: npm ci && ${keptSettings('$', `${home}/`)}`],
      // Windows PowerShell 5.1, which azd takes where pwsh is missing, has no &&.
      [`run: ${keptSettings('$env:')}`, `run: npm ci; if ($?) { ${keptSettings('$env:', `${home}/`)} }`],
      ['npm run build && ', ''],
      ['if ($?) { npm run build }; ', ''],
    ]),
    ...Object.fromEntries(INFRA.map((file) => [`infra/${file}`, infra(file)])),
    ...Object.fromEntries(FLEETS.map((file) => [`infra/${file}`, withSchema(`infra/${file}`, '..')])),
    ...projectWorkflows(read, home),
  };
}

const json = (value) => `${JSON.stringify(value, null, 2)}\n`;
