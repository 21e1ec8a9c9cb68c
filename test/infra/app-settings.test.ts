import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { describeBicep, type Resource, snapshotOf, snapshotOfFile } from './bicep.ts';
import { edgeFleet, hub } from './fleets.ts';
import { at, settingsOf } from './resource.ts';

/** What only the Functions host, its extensions and its telemetry read. */
const OF_THE_HOST = [
  'AzureWebJobsStorage__blobServiceUri',
  'AzureWebJobsStorage__credential',
  'APPLICATIONINSIGHTS_CONNECTION_STRING',
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
  'TWIN_EVENTS__credential',
];

/** What the code reads and a deployment leaves out, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  TWIN_EVENTS: 'a connection string; the identity is used',
  BERTH_STATE: 'a connection string; the identity is used',
  BERTH_EXPORTS: 'a connection string; the identity is used',
  BERTH_STATE__accountName: 'the address of the table service is given',
  AzureWebJobsStorage: 'a connection string; the identity is used',
  AzureWebJobsStorage__accountName: 'the host needs blobs only, and its identity has no role on tables',
  AzureWebJobsStorage__tableServiceUri: 'the state has an account of its own',
  IOT_ENDPOINT: 'development only; refused unless it is loopback',
  BERTH_DPS: 'of the command',
  BERTH_DPS__hostName: 'of the command',
  BERTH_DPS__resourceId: 'of the command',
  BERTH_WEBHOOK_KEY: 'of the command',
  AZURE_SUBSCRIPTION_ID: 'of the command',
  AZURE_RESOURCE_GROUP: 'of the command',
  BERTH_STATE__blobServiceUri: 'checkpoints are in the account of the host',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'only where `metrics` is otlp',
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'the common address is given',
  IDENTITY_ENDPOINT: 'set by the platform',
  WEBSITE_INSTANCE_ID: 'set by the platform',
  NO_COLOR: 'of the command',
  TERM: 'of the command',
};

/** Names of settings in code: `env.NAME`, `%NAME%`, and those that are put together from a prefix. */
function settingsRead(source: string): readonly string[] {
  const prefixes = [...source.matchAll(/for \(const prefix of \[([^\]]+)\]/g)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(/'(\w+)'/g)].map((name) => name[1] ?? ''),
  );
  const suffixes = [...source.matchAll(/env\[`\$\{prefix\}(\w*)`\]|env\[prefix\]/g)].map(
    (match) => match[1] ?? '',
  );
  return [
    ...[...source.matchAll(/\benv\.([A-Z]\w*)/g), ...source.matchAll(/'%(\w+)%'/g)].map(
      (match) => match[1] ?? '',
    ),
    ...prefixes.flatMap((prefix) => suffixes.map((suffix) => `${prefix}${suffix}`)),
  ];
}

const read = new Set(globSync('src/**/*.ts').flatMap((path) => settingsRead(readFileSync(path, 'utf8'))));

test('the test finds settings in the code, also where a name is put together', () => {
  expect([...read]).toEqual(
    expect.arrayContaining(['TWIN_EVENTS_NAME', 'BERTH_STATE__tableServiceUri', 'BERTH_STAMP']),
  );
  expect(
    settingsRead(`env.A_B; '%C%'; for (const prefix of ['D', 'E']) { env[prefix]; env[\`\${prefix}__x\`] }`),
  ).toEqual(['A_B', 'C', 'D', 'D__x', 'E', 'E__x']);
});

/** Names of the functions that have a trigger of their own. */
const functions = globSync('src/functions/*.ts')
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');

describeBicep('the app settings', () => {
  let apps: readonly Resource[];
  let set: ReadonlySet<string>;
  beforeAll(async () => {
    const { predictedResources } = await snapshotOfFile('infra/production.bicepparam');
    apps = predictedResources.filter(({ type }) => type === 'Microsoft.Web/sites');
    set = new Set(apps.flatMap((app) => Object.keys(settingsOf(app))));
  });
  const app = (service: string) => {
    const found = apps.find(({ tags }) => tags?.['azd-service-name'] === service);
    return settingsOf(found as Resource);
  };
  const disabled = (name: string) => /^AzureWebJobs\.(\w+)\.Disabled$/.exec(name)?.[1];

  test('hold every setting that the code reads, except settings that are left out for a reason', () => {
    expect([...read].filter((name) => !set.has(name) && !(name in LEFT_OUT))).toEqual([]);
  });

  test('hold nothing that neither the code nor the host reads', () => {
    const unread = [...set].filter((name) => !read.has(name) && !OF_THE_HOST.includes(name));

    expect(unread.filter((name) => disabled(name) === undefined)).toEqual([]);
  });

  test('hold nothing that is left out for a reason, and the code reads all of that', () => {
    expect(Object.keys(LEFT_OUT).filter((name) => !read.has(name) || set.has(name))).toEqual([]);
  });

  test('hold no secret', () => {
    const values = apps.flatMap((each) => Object.values(settingsOf(each)));

    expect(values.filter((value) => /listKeys|SharedAccess|AccountKey/.test(value))).toEqual([]);
  });

  test('give every stamp the same settings, with its own stamp and Event Hub', () => {
    expect(Object.keys(app('api-us'))).toEqual(Object.keys(app('api')));
    expect(app('api')).toMatchObject({ BERTH_STAMP: 'eu', TWIN_EVENTS_NAME: 'twin-events' });
    expect(app('api-us')).toMatchObject({ BERTH_STAMP: 'us' });
    expect(app('api-us').TWIN_EVENTS__fullyQualifiedNamespace).toMatch(/^evhns-berth-us-/);
  });

  test('keep an allocator from reading events, and let it share the state of the first stamp', () => {
    const allocator = app('api-northeurope');

    expect(Object.keys(allocator).filter((name) => name.startsWith('TWIN_EVENTS'))).toEqual([]);
    expect(allocator.BERTH_STATE__tableServiceUri).toBe(app('api').BERTH_STATE__tableServiceUri);
  });

  test('disable functions that the app has, on an allocator only', () => {
    const names = Object.keys(app('api-northeurope')).flatMap((name) => disabled(name) ?? []);

    expect(names.sort()).toEqual(['resyncFleet', 'syncTwins']);
    for (const name of names) expect(functions).toMatch(new RegExp(`app\\.(timer|eventHub)\\('${name}'`));
    expect(Object.keys(app('api')).flatMap((name) => disabled(name) ?? [])).toEqual([]);
  });

  test('name an Event Hub that the code reads', () => {
    expect(functions).toContain(app('api').TWIN_EVENTS_NAME);
  });
});

const NOTHING_DECLARED = {
  appSettings: {},
  stamps: [
    { name: 'eu', location: 'westeurope' },
    { name: 'us', location: 'eastus' },
  ],
};
const KNOWN = JSON.parse(readFileSync('infra/app-settings.json', 'utf8')) as Readonly<
  Record<'own' | 'allocator' | 'instead' | 'platform', readonly string[]>
>;

describeBicep('the app settings that an operator declares', () => {
  const apps = async (parameters: Parameters<typeof snapshotOf>[0]) =>
    (await snapshotOf(parameters)).predictedResources.filter(({ type }) => type === 'Microsoft.Web/sites');
  const PASSWORD = '@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/acr)';
  const DECLARED = {
    hubs: ['eu', 'us'].map((stamp) => hub(`contoso-${stamp}`, { stamp })),
    stamps: [
      { name: 'eu', location: 'westeurope', appSettings: { ACR_USER: 'eu', HUB_WEU: PASSWORD } },
      { name: 'us', location: 'eastus' },
    ],
    allocatorLocations: ['northeurope'],
    appSettings: { ACR_USER: 'contoso', ACR_PASSWORD: PASSWORD },
  };

  test('are added to those of every app, and those of a stamp to its own app only', async () => {
    const [plain, declared] = [await apps({ ...DECLARED, ...NOTHING_DECLARED }), await apps(DECLARED)];

    const added = declared.map((app, index) => {
      const before = settingsOf(plain[index] as Resource);
      return Object.fromEntries(Object.entries(settingsOf(app)).filter(([name]) => !(name in before)));
    });
    expect(added).toEqual([
      { ACR_USER: 'eu', ACR_PASSWORD: PASSWORD, HUB_WEU: PASSWORD },
      { ACR_USER: 'contoso', ACR_PASSWORD: PASSWORD },
      { ACR_USER: 'contoso', ACR_PASSWORD: PASSWORD },
    ]);
  });

  test('can be references to Azure Key Vault, which each app reads with its own identity', async () => {
    for (const { identity, properties } of await apps(DECLARED)) {
      const [id, ...others] = Object.keys(at(identity, 'userAssignedIdentities') as object);

      expect(others).toEqual([]);
      expect(at(identity, 'type')).toBe('UserAssigned');
      expect(at(properties, 'keyVaultReferenceIdentity')).toBe(id);
    }
  });

  test('can be references to App Configuration', async () => {
    const PLANT = '@Microsoft.AppConfiguration(Endpoint=https://contoso.azconfig.io; Key=plant; Label=eu)';

    for (const app of await apps({ ...DECLARED, ...NOTHING_DECLARED, appSettings: { PLANT } }))
      expect(settingsOf(app)).toMatchObject({ PLANT });
  });

  test('do not change what the templates set on an allocator', async () => {
    const disabled = 'AzureWebJobs.syncTwins.Disabled';
    const [stamp, , allocator] = await apps({ ...DECLARED, appSettings: { [disabled]: 'false' } });

    expect(settingsOf(stamp as Resource)[disabled]).toBe('false');
    expect(settingsOf(allocator as Resource)[disabled]).toBe('true');
  });

  test('are no names that the templates set: app-settings.json lists all of these', async () => {
    const everything = [
      ...(await apps({ ...DECLARED, ...NOTHING_DECLARED })),
      ...(await apps({
        ...edgeFleet('every option'),
        metrics: 'otlp',
        otlpEndpoint: 'https://collector:4318',
      })),
    ];
    const names = new Set(everything.flatMap((app) => Object.keys(settingsOf(app))));

    expect([...KNOWN.own, ...KNOWN.allocator].sort()).toEqual([...names].sort());
    const all = Object.values(KNOWN).flat();
    expect(new Set(all.map((name) => name.toLowerCase())).size).toBe(all.length);
  });

  test('come with further identities of every app, next to its own', async () => {
    const id =
      '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader';
    for (const { identity } of await apps({ ...DECLARED, appIdentityIds: [id], appSystemIdentity: true })) {
      expect(at(identity, 'type')).toBe('SystemAssigned, UserAssigned');
      expect(Object.keys(at(identity, 'userAssignedIdentities') as object)).toEqual([
        expect.stringMatching(/id-berth-/),
        id,
      ]);
    }
  });
});
