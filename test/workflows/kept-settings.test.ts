import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { run, type ScriptProject, scriptProject } from './script-project.ts';

const TOKEN = 'abcdefghijklm';
const STAMP_APP = `func-berth-main-${TOKEN}`;
const ALLOCATOR_APP = `func-berth-alloc-northeurope-${TOKEN}`;
const IDENTITY =
  '/subscriptions/s/resourceGroups/rg-berth-prod/providers/Microsoft.ManagedIdentity/userAssignedIdentities';
const SECRET = 'c2VjcmV0';

let stage: ScriptProject;
beforeEach(() => {
  stage = scriptProject();
  stage.write('infra/main.bicep', "targetScope = 'subscription'\n");
});

/** What Azure has, and what the parameter file declares. */
interface Azure {
  readonly parameters?: object;
  readonly exists?: boolean;
  readonly apps?: readonly string[];
  /** Names of app settings, of every app. */
  readonly settings?: readonly string[];
  readonly identity?: object;
  /** Ends the call that lists app settings. */
  readonly refuses?: string;
}

/** Runs `infra.sh` with an `az` that answers for this Azure. */
function infra(command: string, azure: Azure = {}, env: Readonly<Record<string, string>> = {}) {
  const { parameters = {}, exists = true, apps = [STAMP_APP], settings = [], refuses } = azure;
  const values = Object.entries({ environmentName: 'berth-prod', ...parameters });
  const own = { [`${IDENTITY}/id-berth-main-${TOKEN}`]: {} };
  const { identity = { type: 'UserAssigned', userAssignedIdentities: own } } = azure;
  const answers = join(stage.path, 'answers');
  mkdirSync(answers);
  const compiled = { parameters: Object.fromEntries(values.map(([name, value]) => [name, { value }])) };
  stage.write('answers/params', JSON.stringify({ parametersJson: JSON.stringify(compiled) }));
  stage.write('answers/apps', `${apps.join('\n')}\n`);
  stage.write('answers/settings', `${settings.join('\n')}\n`);
  stage.write('answers/identity', JSON.stringify(identity));
  const AZ = `case "$*" in
    *build-params*) cat "${answers}/params";;
    "group exists"*) echo ${exists};;
    "functionapp list"*) cat "${answers}/apps";;
    "functionapp show"*) cat "${answers}/identity";;
    *"appsettings list"*) ${refuses ?? `cat "${answers}/settings"`};;
    *what-if*) echo "~ modify";;
  esac`;
  return stage.script('infra.sh', [command, ...(command === 'what-if' ? ['report/a.md'] : [])], {
    AZURE_LOCATION: 'westeurope',
    AZ,
    ...env,
  });
}
const deployments = () => stage.calls().filter((call) => / create /.test(call));
const FORBIDDEN = 'echo "(AuthorizationFailed) The client does not have authorization" >&2; exit 1';

describe('infra.sh apply', () => {
  test('refuses to remove an app setting that is not declared, and names it', async () => {
    const said = await infra('apply', { settings: ['FLEET_FILE', 'ACR_USER', 'ACR_PASSWORD'] });

    expect(said.code).toBe(1);
    expect(said.err).toBe(
      `${STAMP_APP}: a deployment would remove the app settings ACR_PASSWORD, ACR_USER, which infra/production.bicepparam does not declare. Write them into appSettings there, a secret as a reference to Azure Key Vault. Or delete them: az functionapp config appsettings delete --resource-group rg-berth-prod --name ${STAMP_APP} --setting-names ACR_PASSWORD ACR_USER\nSee "Further app settings" in docs/deploy.md.\n`,
    );
    expect(deployments()).toEqual([]);
  });

  test('refuses to remove a setting that takes the place of one of the templates, and says that it cannot be declared', async () => {
    const said = await infra('apply', { settings: ['BERTH_STATE', 'ACR_USER'] });

    expect(said.err).toContain(
      `${STAMP_APP}: a deployment would remove the app settings BERTH_STATE, which the templates decide in another way. Make sure that nothing needs them, and delete them first: az functionapp config appsettings delete --resource-group rg-berth-prod --name ${STAMP_APP} --setting-names BERTH_STATE\n`,
    );
    expect(said.err).toContain(
      'the app settings ACR_USER, which infra/production.bicepparam does not declare',
    );
  });

  test('deploys where every app setting is declared, by Berth or by the platform', async () => {
    const said = await infra('apply', {
      parameters: {
        appSettings: { ACR_USER: 'contoso' },
        stamps: [{ name: 'main', location: 'westeurope', appSettings: { Acr_Password: 'x' } }],
        allocatorLocations: ['northeurope'],
      },
      apps: [STAMP_APP],
      settings: [
        'FLEET_FILE',
        'berth_metrics',
        'OTEL_EXPORTER_OTLP_ENDPOINT',
        'APPINSIGHTS_INSTRUMENTATIONKEY',
        'WEBSITE_RUN_FROM_PACKAGE',
        'DEPLOYMENT_STORAGE_CONNECTION_STRING',
        'ACR_USER',
        'ACR_PASSWORD',
      ],
    });

    expect(said).toEqual({ code: 0, out: '', err: '' });
    expect(deployments()).toHaveLength(1);
  });

  test('takes a declared setting of one stamp for undeclared on the app of another one', async () => {
    const said = await infra('apply', {
      parameters: {
        stamps: [
          { name: 'eu', location: 'westeurope', appSettings: { ACR_USER: 'x' } },
          { name: 'us', location: 'eastus' },
        ],
      },
      apps: [`func-berth-eu-${TOKEN}`, `func-berth-us-${TOKEN}`],
      settings: ['ACR_USER'],
      identity: { type: 'None' },
    });

    expect(said.code).toBe(1);
    expect(said.err).toContain(`func-berth-us-${TOKEN}: a deployment would remove the app settings ACR_USER`);
    expect(said.err).not.toContain('func-berth-eu');
  });

  test('keeps a function that an operator has switched off on a stamp, and switches off those of an allocator', async () => {
    const azure = {
      parameters: { allocatorLocations: ['northeurope'] },
      settings: ['AzureWebJobs.syncTwins.Disabled'],
      identity: { type: 'None' },
    };

    const said = await infra('apply', { ...azure, apps: [STAMP_APP, ALLOCATOR_APP] });

    expect(said.err).toContain(
      `${STAMP_APP}: a deployment would remove the app settings AzureWebJobs.syncTwins`,
    );
    expect(said.err).not.toContain(ALLOCATOR_APP);
  });

  test('refuses to take away identities that are not declared', async () => {
    const identity = {
      type: 'SystemAssigned, UserAssigned',
      userAssignedIdentities: {
        [`${IDENTITY}/ID-BERTH-main-${TOKEN}`]: {},
        [`${IDENTITY}/reader`]: {},
        [`${IDENTITY}/declared`]: {},
      },
    };
    const parameters = { appIdentityIds: [`${IDENTITY}/Declared`] };

    const said = await infra('apply', { identity, parameters });

    expect(said.code).toBe(1);
    expect(said.err).toContain(
      `${STAMP_APP}: a deployment would take away the identity ${IDENTITY}/reader, which infra/production.bicepparam does not declare. Write its id into appIdentityIds there. Or take it away: az functionapp identity remove --resource-group rg-berth-prod --name ${STAMP_APP} --identities ${IDENTITY}/reader\n`,
    );
    expect(said.err).toContain(
      `${STAMP_APP}: a deployment would take away the system-assigned identity, which infra/production.bicepparam does not declare. Write appSystemIdentity = true there. Or take it away: az functionapp identity remove --resource-group rg-berth-prod --name ${STAMP_APP} --identities '[system]'\n`,
    );
    expect(deployments()).toEqual([]);
  });

  test('keeps identities that are declared', async () => {
    const identity = {
      type: 'SystemAssigned, UserAssigned',
      userAssignedIdentities: { [`${IDENTITY}/reader`]: {} },
    };
    const parameters = { appIdentityIds: [`${IDENTITY}/reader`], appSystemIdentity: true };

    expect((await infra('apply', { identity, parameters })).code).toBe(0);
  });

  test('deploys for the first time, when no resource group exists', async () => {
    expect((await infra('apply', { exists: false, settings: ['X'] })).code).toBe(0);
  });

  test('looks only at apps that the deployment writes', async () => {
    const apps = ['shop', `func-berth-old-${TOKEN}`, ALLOCATOR_APP, `func-berth-main-${TOKEN}-2`];

    expect((await infra('apply', { apps, settings: ['X'] })).code).toBe(0);
    expect(stage.calls().filter((call) => call.includes('appsettings'))).toEqual([]);
  });

  test('deploys nothing where it may not list the names of app settings', async () => {
    const said = await infra('apply', { refuses: FORBIDDEN });

    expect(said.code).toBe(1);
    expect(said.err).toContain(
      `${STAMP_APP}: this identity may not list the names of app settings, so a deployment could remove one unseen. It needs the action Microsoft.Web/sites/config/list/action.`,
    );
    expect(deployments()).toEqual([]);
  });

  test('deploys nothing where the parameters cannot be read', async () => {
    const said = await infra('apply', {}, { AZ: 'echo no >&2; exit 1' });

    expect([said.code, said.err]).toEqual([1, expect.stringContaining('no')]);
    expect(deployments()).toEqual([]);
  });

  test('shows nothing of parameters that it cannot read', async () => {
    const said = await infra('apply', {}, { AZ: `echo '${SECRET}'` });

    expect(said).toEqual({
      code: 1,
      out: '',
      err: 'infra/production.bicepparam has no parameters that can be read: run az bicep build-params --file infra/production.bicepparam\nSee "Further app settings" in docs/deploy.md.\n',
    });
  });

  test('reads the names of app settings, and never a value', async () => {
    const said = await infra('apply', {
      parameters: { appSettings: { ACR_PASSWORD: SECRET } },
      settings: ['ACR_PASSWORD', 'OTHER'],
    });

    expect(stage.calls().filter((call) => call.includes('appsettings'))).toEqual([
      `az functionapp config appsettings list --resource-group rg-berth-prod --name ${STAMP_APP} --query [].name --output tsv`,
    ]);
    expect(said.out + said.err + stage.calls().join()).not.toContain(SECRET);
  });

  test('looks into the default subscription of az', async () => {
    await infra('apply');

    expect(stage.calls().join()).not.toContain('--subscription');
  });
});

describe('infra.sh what-if', () => {
  test('reports an app setting that is not declared, shows the plan, and fails', async () => {
    const said = await infra('what-if', { settings: ['ACR_USER'] });

    expect(said.code).toBe(1);
    const report = stage.read('report/a.md');
    expect(report).toContain('### App settings and identities that others added\n');
    expect(report).toContain('would remove the app settings ACR_USER,');
    expect(report).toContain('~ modify');
  });

  test('says what it cannot know with the right to read, and succeeds', async () => {
    const said = await infra('what-if', { refuses: FORBIDDEN });

    expect(said.code).toBe(0);
    expect(stage.read('report/a.md')).toContain(
      `${STAMP_APP}: this identity may not list the names of app settings, so they are not compared here. infra.sh apply compares them.`,
    );
  });

  test('fails where Azure does not answer', async () => {
    expect((await infra('what-if', { refuses: 'echo timeout >&2; exit 1' })).code).toBe(1);
  });

  test('adds nothing to the report where everything is declared', async () => {
    await infra('what-if');

    expect(stage.read('report/a.md')).not.toContain('App settings');
  });

  test('warns of app settings that the fleet file names and that are not declared', async () => {
    stage.write(
      'fleet.json',
      JSON.stringify({
        hubs: [],
        edge: {
          registries: [{ address: 'a', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }],
          layers: [{ modules: { m: { env: { A: 'setting:API_KEY', B: { value: 'setting:OTHER_KEY' } } } } }],
        },
      }),
    );

    const said = await infra('what-if', { parameters: { appSettings: { ACR_USER: 'x', OTHER_KEY: 'y' } } });

    expect(said.code).toBe(0);
    expect(stage.read('report/a.md')).toContain(
      `fleet.json names the app settings ACR_PASSWORD, API_KEY, which infra/production.bicepparam does not declare for the stamp main. Write them into appSettings there, a secret as a reference to Azure Key Vault.`,
    );
  });
});

describe('infra.sh drift', () => {
  test('fails where an app setting is not declared', async () => {
    const said = await infra('drift', { settings: ['ACR_USER'] });

    expect([said.code, said.out + said.err]).toEqual([
      1,
      expect.stringContaining('would remove the app settings ACR_USER'),
    ]);
  });
});

describe('the hook preprovision of azd', () => {
  const HOOK = parse(readFileSync('azure.yaml', 'utf8')).hooks.preprovision.posix.run;

  /** Runs the hook with an `az` that has two subscriptions. Only `deployed`, which is not the default one, has the app. */
  function preprovision(env: Readonly<Record<string, string>> = {}) {
    const parameters = JSON.stringify({ parameters: { environmentName: { value: 'berth-prod' } } });
    const AZ = `case "$*" in
      *build-params*)
        if [ -z "$AZURE_LOCATION" ]; then echo "AZURE_LOCATION does not exist" >&2; exit 1; fi
        echo '${JSON.stringify({ parametersJson: parameters })}';;
      "group exists"*"--subscription deployed") echo true;;
      "group exists"*) echo false;;
      "functionapp list"*"--subscription deployed") echo "${STAMP_APP}";;
      "functionapp show"*"--subscription deployed") echo '{"type":"SystemAssigned"}';;
      *"appsettings list"*"--subscription deployed") echo ACR_USER;;
      *) echo "no such app" >&2; exit 1;;
    esac`;
    return run('sh', ['-c', `cd "${stage.path}" && ${HOOK}`], {
      PATH: `${join(stage.path, 'bin')}:${process.env.PATH}`,
      CALLS: join(stage.path, 'calls'),
      AZURE_LOCATION: 'westeurope',
      AZ,
      ...env,
    });
  }

  test('looks into the subscription of azd, also if it is not the default one of az', async () => {
    const said = await preprovision({ AZURE_SUBSCRIPTION_ID: 'deployed' });

    expect(said.code).toBe(1);
    const app = `--resource-group rg-berth-prod --name ${STAMP_APP} --subscription deployed`;
    expect(said.err).toContain(
      `: az functionapp config appsettings delete ${app} --setting-names ACR_USER\n`,
    );
    expect(said.err).toContain(`: az functionapp identity remove ${app} --identities '[system]'\n`);
  });

  test('compiles the parameter file without a subscription, as az bicep takes none', async () => {
    await preprovision({ AZURE_SUBSCRIPTION_ID: 'deployed' });

    expect(stage.calls().filter((call) => !call.endsWith(' --subscription deployed'))).toEqual([
      'az bicep build-params --file infra/main.bicepparam --stdout',
    ]);
  });

  test.each([
    ['has no variable AZURE_SUBSCRIPTION_ID', {}],
    ['has an empty AZURE_SUBSCRIPTION_ID', { AZURE_SUBSCRIPTION_ID: '' }],
  ])('compares nothing in a new environment, which %s', async (_, env: Readonly<Record<string, string>>) => {
    const said = await preprovision({ ...env, AZURE_LOCATION: '' });

    expect(said).toEqual({
      code: 0,
      out: '',
      err: 'azd has no subscription for this environment yet, so no app is compared. If the environment exists in Azure, stop, and run azd env set AZURE_SUBSCRIPTION_ID ID first.\n',
    });
    expect(stage.calls()).toEqual(['az bicep build-params --file infra/main.bicepparam --stdout']);
  });

  test('compiles the parameter file before azd has asked for a location', async () => {
    const said = await preprovision({ AZURE_SUBSCRIPTION_ID: 'new', AZURE_LOCATION: '' });

    expect(said).toEqual({ code: 0, out: '', err: '' });
  });
});
