// kept-settings.mjs --parameters FILE [--resource-group NAME] [--must-know] [--subscription=ID]: fails if a deployment with this
// parameter file would remove an app setting or an identity of an app that Berth did not make. A deployment writes all of them,
// and the parameter file declares those that it keeps. It reads names of app settings, never a value. Without the right to list
// them it says so; with --must-know, that is a failure. The resource group is the one of environmentName by default, and the
// subscription the default one of az. An empty subscription is a new environment of azd, in which nothing exists yet.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const KNOWN = JSON.parse(readFileSync(new URL('../../infra/app-settings.json', import.meta.url), 'utf8'));

const { values: given } = parseArgs({
  options: {
    parameters: { type: 'string' },
    'resource-group': { type: 'string' },
    'must-know': { type: 'boolean' },
    subscription: { type: 'string' },
  },
});
const file = given.parameters ?? '';
const subscription = given.subscription ? ['--subscription', given.subscription] : [];

/** Runs the Azure CLI in this environment. Rejects with what it said. */
function run(args, env) {
  return new Promise((resolve, reject) => {
    // On Windows, the Azure CLI is a command file.
    const options = { env, shell: process.platform === 'win32', maxBuffer: 64 * 1024 * 1024 };
    execFile('az', args, options, (error, out, said) =>
      error === null ? resolve(out) : reject(new Error(said.trim() || error.message)),
    );
  });
}

/** Asks Azure, in the subscription of the deployment. */
const az = (...args) => run([...args, ...subscription], process.env);

/** The parameter file as JSON. A new environment of azd has no location yet, and the location decides nothing here. */
function buildParameters() {
  const env = { ...process.env, AZURE_LOCATION: process.env.AZURE_LOCATION || 'westeurope' };
  return run(['bicep', 'build-params', '--file', file, '--stdout'], env);
}

const lines = (text) => text.split(/\r?\n/).filter((line) => line !== '');

/** The values of a parameter file, by name. They may hold secrets: never show them, not even in the message of an error. */
async function readParameters() {
  const isJson = file.endsWith('.json');
  const text = isJson ? readFileSync(file, 'utf8') : await buildParameters();
  try {
    const { parameters } = JSON.parse(isJson ? text : JSON.parse(text).parametersJson);
    return Object.fromEntries(Object.entries(parameters).map(([name, { value }]) => [name, value]));
  } catch {
    throw new Error(`${file} has no parameters that can be read: run az bicep build-params --file ${file}`);
  }
}

/** The apps that the deployment writes, by the part of their names that is known before: with what is declared for each. */
function writtenApps({ stamps = [{ name: 'main' }], allocatorLocations = [], appSettings = {} }) {
  const names = (settings) => Object.keys({ ...appSettings, ...settings });
  return [
    ...stamps.map((stamp) => ({
      part: stamp.name,
      stamp: stamp.name,
      declared: names(stamp.appSettings),
      set: KNOWN.own,
    })),
    ...allocatorLocations.map((region) => ({
      part: `alloc-${region}`,
      declared: names({}),
      set: [...KNOWN.own, ...KNOWN.allocator],
    })),
  ];
}

/** Names of `setting:NAME` in the fleet file: credentials of registries, and values of variables. */
function settingsOfFleet(json, isValue = false) {
  if (typeof json === 'string') {
    const name = isValue ? /^setting:(\w+)$/.exec(json)?.[1] : undefined;
    return name === undefined ? [] : [name];
  }
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) =>
    settingsOfFleet(value, isValue || ['registries', 'env'].includes(key)),
  );
}

function readFleet() {
  try {
    return JSON.parse(readFileSync('fleet.json', 'utf8'));
  } catch {
    // `berth validate` says what is wrong with it.
    return {};
  }
}

const listed = (names) => [...new Set(names)].sort().join(', ');
const isIn = (names, name) => names.some((each) => each.toLowerCase() === name.toLowerCase());
/** The app, as an argument of the commands that a message tells to run. */
const of = (app, group) => ['--resource-group', group, '--name', app, ...subscription].join(' ');
const AS_REFERENCE = 'a secret as a reference to Azure Key Vault';

const problems = [];
const notes = [];

async function checkSettings(app, group, { declared, set }) {
  const names = await az(
    ...['functionapp', 'config', 'appsettings', 'list', '--resource-group', group, '--name', app],
    ...['--query', '[].name', '--output', 'tsv'],
  ).then(lines, (error) => {
    if (!/AuthorizationFailed|does not have authorization/i.test(error.message)) throw error;
    return undefined;
  });
  if (names === undefined) {
    const cannot = `${app}: this identity may not list the names of app settings, so`;
    if (given['must-know'])
      problems.push(
        `${cannot} a deployment could remove one unseen. It needs the action Microsoft.Web/sites/config/list/action.`,
      );
    else notes.push(`${cannot} they are not compared here. infra.sh apply compares them.`);
    return;
  }
  const lost = names.filter((name) => !isIn([...declared, ...set, ...KNOWN.platform], name)).sort();
  const refuse = (some, why) => {
    if (some.length === 0) return;
    problems.push(
      `${app}: a deployment would remove the app settings ${listed(some)}, ${why}: az functionapp config appsettings delete ${of(app, group)} --setting-names ${some.join(' ')}`,
    );
  };
  refuse(
    lost.filter((name) => !isIn(KNOWN.instead, name)),
    `which ${file} does not declare. Write them into appSettings there, ${AS_REFERENCE}. Or delete them`,
  );
  refuse(
    lost.filter((name) => isIn(KNOWN.instead, name)),
    'which the templates decide in another way. Make sure that nothing needs them, and delete them first',
  );
}

async function checkIdentities(app, group, { appIdentityIds = [], appSystemIdentity = false }) {
  const show = ['functionapp', 'show', '--resource-group', group, '--name', app, '--query', 'identity'];
  const identity = JSON.parse((await az(...show, '--output', 'json')) || 'null') ?? {};
  const own = `/userAssignedIdentities/${app.replace(/^func-/, 'id-')}`.toLowerCase();
  const ids = Object.keys(identity.userAssignedIdentities ?? {});
  const lost = ids.filter((id) => !id.toLowerCase().endsWith(own) && !isIn(appIdentityIds, id)).sort();
  const refuse = (what, write, identities) =>
    problems.push(
      `${app}: a deployment would take away ${what}, which ${file} does not declare. Write ${write} there. Or take it away: az functionapp identity remove ${of(app, group)} --identities ${identities}`,
    );
  for (const id of lost) refuse(`the identity ${id}`, 'its id into appIdentityIds', id);
  if (String(identity.type).includes('SystemAssigned') && !appSystemIdentity)
    // A shell would take the brackets for a pattern of file names.
    refuse('the system-assigned identity', 'appSystemIdentity = true', "'[system]'");
}

function checkFleet(apps) {
  const named = settingsOfFleet(readFleet().edge);
  for (const { stamp, declared } of apps.filter((app) => app.stamp !== undefined)) {
    const missing = named.filter((name) => !declared.includes(name));
    if (missing.length > 0)
      notes.push(
        `fleet.json names the app settings ${listed(missing)}, which ${file} does not declare for the stamp ${stamp}. Write them into appSettings there, ${AS_REFERENCE}.`,
      );
  }
}

async function check() {
  const parameters = await readParameters();
  const group = given['resource-group'] ?? `rg-${parameters.environmentName}`;
  const apps = writtenApps(parameters);
  checkFleet(apps);
  if (given.subscription === '') {
    notes.push(
      'azd has no subscription for this environment yet, so no app is compared. If the environment exists in Azure, stop, and run azd env set AZURE_SUBSCRIPTION_ID ID first.',
    );
    return;
  }
  if ((await az('group', 'exists', '--name', group)).trim() !== 'true') return;
  const list = ['functionapp', 'list', '--resource-group', group, '--query', '[].name', '--output', 'tsv'];
  const present = lines(await az(...list));
  for (const written of apps) {
    // uniqueString() has 13 characters.
    const app = present.find((name) =>
      new RegExp(`^func-berth-${written.part}-[a-z0-9]{13}$`, 'i').test(name),
    );
    if (app === undefined) continue;
    await checkSettings(app, group, written);
    await checkIdentities(app, group, parameters);
  }
}

try {
  await check();
} catch (error) {
  problems.push(error.message);
}
for (const line of [...notes, ...problems]) console.error(line);
if (problems.length > 0) {
  console.error('See "Further app settings" in docs/deploy.md.');
  process.exitCode = 1;
}
