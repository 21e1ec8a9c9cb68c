import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { deploymentsOf } from '../../src/cli/rollouts/deployments.ts';
import { environmentIn, IGNORED_STATE, requireOnePlace } from '../../src/cli/shell/environment.ts';
import { isLocalPlace } from '../../src/settings/local-place.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

const EMULATOR = 'UseDevelopmentStorage=true';
const ENDPOINT = 'http://127.0.0.1:7080';
const ACCOUNT =
  'DefaultEndpointsProtocol=https;AccountName=prod;AccountKey=a2V5;EndpointSuffix=core.windows.net';
const EVENTS = 'Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true;';
const DPS = 'HostName=contoso.azure-devices-provisioning.net;SharedAccessKeyName=p;SharedAccessKey=a2V5';
/** As in the local.settings.json of this repository. */
const LOCAL = {
  AzureWebJobsStorage: EMULATOR,
  TWIN_EVENTS: EVENTS,
  TWIN_EVENTS_NAME: 'twin-events',
  IOT_ENDPOINT: ENDPOINT,
  FLEET_FILE: 'fleet.json',
};

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('environment');
  writeFileSync(join(folder, 'local.settings.json'), JSON.stringify({ Values: LOCAL }));
});

describe('the settings of a command', () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    [
      'the table service of a deployment',
      { BERTH_STATE__tableServiceUri: 'https://prod.table.core.windows.net' },
    ],
    ['the account name of a deployment', { BERTH_STATE__accountName: 'prod' }],
    ['a connection string of a deployment', { BERTH_STATE: ACCOUNT }],
    ['the storage of the functions in Azure', { AzureWebJobsStorage: ACCOUNT }],
    ['the account of the storage of the functions', { AzureWebJobsStorage__accountName: 'prod' }],
    ['a DPS by its connection string', { BERTH_DPS: DPS }],
    ['a DPS by its host name', { BERTH_DPS__hostName: 'contoso.azure-devices-provisioning.net' }],
    ['a DPS by its resource id', { BERTH_DPS__resourceId: '/subscriptions/s/x' }],
    ['an Event Hub in Azure', { TWIN_EVENTS__fullyQualifiedNamespace: 'x.servicebus.windows.net' }],
    ['the account of the exports', { BERTH_EXPORTS__blobServiceUri: 'https://prod.blob.core.windows.net' }],
  ])('take nothing of the local stack from the file if the environment names %s', (_, env) => {
    const { [IGNORED_STATE]: _ignored, ...settings } = environmentIn(folder, env);

    expect(settings).toEqual({ ...env, TWIN_EVENTS_NAME: 'twin-events', FLEET_FILE: 'fleet.json' });
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['nothing', {}],
    ['the emulator', { BERTH_STATE: EMULATOR }],
    ['a table service on this machine', { BERTH_STATE__tableServiceUri: 'http://127.0.0.1:10002/a' }],
    ['an empty setting', { BERTH_DPS: '' }],
    [
      'a DPS on this machine',
      { BERTH_DPS: 'HostName=127.0.0.1:7080;SharedAccessKeyName=p;SharedAccessKey=a' },
    ],
    ['a namespace on this machine', { TWIN_EVENTS__fullyQualifiedNamespace: 'localhost' }],
    ['a subscription, which only berth connect and berth init use', { AZURE_SUBSCRIPTION_ID: 's' }],
    ['a setting that names no place', { BERTH_STATE__clientId: 'c', FLEET_FILE: 'other.json' }],
  ])('take the local stack from the file if the environment names %s', (_, env) => {
    expect(environmentIn(folder, env)).toMatchObject({ IOT_ENDPOINT: ENDPOINT, TWIN_EVENTS: EVENTS });
  });

  test('keep what the environment itself says of the local stack', () => {
    const env = { BERTH_STATE: ACCOUNT, IOT_ENDPOINT: 'http://127.0.0.1:9' };

    expect(environmentIn(folder, env)).toMatchObject(env);
  });
});

describe('a command without a storage account', () => {
  const DPS_NAME = { BERTH_DPS__hostName: 'contoso.azure-devices-provisioning.net' };
  const failureOf = (env: Readonly<Record<string, string>>, inFolder = folder) =>
    berth(listen(environmentIn(inFolder, env)).cli, 'hubs').then(
      () => 'no failure',
      (error: unknown) => String(error),
    );

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ['a DPS', DPS_NAME, 'BERTH_DPS__hostName'],
    [
      'a DPS and an Event Hub',
      { ...DPS_NAME, TWIN_EVENTS__fullyQualifiedNamespace: 'x.servicebus.windows.net' },
      'BERTH_DPS__hostName and TWIN_EVENTS__fullyQualifiedNamespace',
    ],
  ])('says that the one of the file is ignored, because the environment names %s', async (_, env, names) => {
    expect(await failureOf(env)).toContain(
      `No storage account for the state tables is set. The one in local.settings.json is on this machine, and is ignored because the environment names a deployment in Azure with ${names}: set BERTH_STATE__tableServiceUri to the table service of the deployment, or unset ${names}.`,
    );
  });

  test('takes the one of --state', () => {
    const [deployment] = deploymentsOf(
      ['https://prod.table.core.windows.net'],
      environmentIn(folder, DPS_NAME),
    );

    expect(deployment?.state.place).toBe('prod.table.core.windows.net');
  });

  test('says nothing of a file that sets none either', async () => {
    const message = await failureOf(DPS_NAME, temporaryFolder('no-settings'));

    expect(message).toContain('No storage account for the state tables is set: set BERTH_STATE');
    expect(message).not.toContain('local.settings.json');
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['with a command that uses the hubs', { ...DPS_NAME }],
    ['with a connection string of a DPS', { BERTH_DPS: DPS }],
  ])('is told so %s', (_, env) => {
    expect(() => requireOnePlace(environmentIn(folder, env))).toThrow(
      /local\.settings\.json is on this machine, and is ignored because the environment names a deployment in Azure with BERTH_DPS/,
    );
  });
});

describe('the check that state and hubs are of one fleet', () => {
  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'the state is in Azure and the hubs are local',
      { BERTH_STATE__tableServiceUri: 'https://prod.table.core.windows.net', IOT_ENDPOINT: ENDPOINT },
      /are in prod\.table\.core\.windows\.net, and IOT_ENDPOINT names the hubs of the local stack: remove one/,
    ],
    [
      'a connection string names the state in Azure and the hubs are local',
      { BERTH_STATE: ACCOUNT, IOT_ENDPOINT: ENDPOINT },
      /are in prod, and IOT_ENDPOINT/,
    ],
    [
      'the state is local and DPS is in Azure',
      { AzureWebJobsStorage: EMULATOR, BERTH_DPS: DPS },
      /are in Azurite on this machine, and BERTH_DPS names a DPS in Azure: set BERTH_STATE__tableServiceUri/,
    ],
  ])('refuses that %s, without a key', (_, env, message) => {
    expect(() => requireOnePlace(env)).toThrow(
      expect.objectContaining({ code: 'BERTH_SETTING_INVALID', message: expect.stringMatching(message) }),
    );
    expect(() => requireOnePlace(env)).not.toThrow(/a2V5/);
  });

  test.each([
    [['forget', 'pump-7', '--yes']],
    [['hub', 'prepare', 'contoso-weu.azure-devices.net']],
    [['hub', 'drain', 'contoso-weu.azure-devices.net', '--disable-silent', '--reason', 'x', '--yes']],
    [['hub', 'drain', 'contoso-weu.azure-devices.net', '--enable-again']],
  ])('comes before any call of %j', async (argv) => {
    const { cli } = listen({ BERTH_STATE: ACCOUNT, IOT_ENDPOINT: ENDPOINT });

    await expect(berth(cli, ...argv)).rejects.toMatchObject({
      code: 'BERTH_SETTING_INVALID',
      message: expect.stringContaining('IOT_ENDPOINT names the hubs of the local stack'),
    });
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['both are local', { AzureWebJobsStorage: EMULATOR, IOT_ENDPOINT: ENDPOINT }],
    [
      'both are on this machine, without the local hubs',
      { AzureWebJobsStorage: EMULATOR, BERTH_DPS: 'HostName=localhost:7080' },
    ],
    ['both are in Azure', { BERTH_STATE: ACCOUNT, BERTH_DPS: DPS }],
    [
      'the storage of the functions is local, but the state is not',
      { BERTH_STATE: ACCOUNT, AzureWebJobsStorage: EMULATOR },
    ],
    ['an emulator has the state, and the hubs are in Azure', { AzureWebJobsStorage: EMULATOR }],
  ])('accepts that %s', (_, env) => {
    expect(() => requireOnePlace(env)).not.toThrow();
  });
});

test.each<[string, boolean]>([
  ['UseDevelopmentStorage=true', true],
  ['DefaultEndpointsProtocol=http;AccountName=a;AccountKey=b;TableEndpoint=http://azurite:10002/a;', true],
  ['https://localhost:10002/a', true],
  ['https://127.0.0.1:10002', true],
  ['http://[::1]:10002', true],
  [EVENTS, true],
  ['HostName=127.0.0.1:7080;SharedAccessKeyName=p;SharedAccessKey=a', true],
  ['SharedAccessKeyName=p; hostname = localhost;SharedAccessKey=a', true],
  ['HostName=[::1]:7080;SharedAccessKeyName=p', true],
  ['localhost', true],
  ['localhost:7080', true],
  ['127.0.0.1:7080', true],
  ['localhost.contoso.com:7080', false],
  ['HostName=localhost.contoso.com', false],
  ['HostName=contoso.net;GatewayHostName=localhost', false],
  ['contoso-localhost', false],
  [DPS, false],
  ['https://localhost.contoso.com', false],
  ['https://prod.table.core.windows.net', false],
  [ACCOUNT, false],
  ['AccountName=http;AccountKey=aHR0cDovLw==', false],
])('the place "%s" is local: %s', (value, isLocal) => {
  expect(isLocalPlace(value)).toBe(isLocal);
});
