import { expect, test } from '@jest/globals';
import { describeBicep, type Parameters, snapshotOf } from './bicep.ts';
import { hub } from './fleets.ts';

/** What the templates say of parameters that they refuse; undefined: they take them. */
async function refusal(parameters: Parameters): Promise<string | undefined> {
  try {
    await snapshotOf(parameters);
    return undefined;
  } catch (error) {
    // Azure's own words are around those of fail().
    return /is not valid: (.*)\. Please see https/s.exec(String(error))?.[1] ?? String(error);
  }
}

const PLANT = { subscription: '0dd781aa-f7a9-4f7e-8105-0579ce78f407', resourceGroup: 'plant' };
const ONE = { hubs: [hub('contoso-weu')] };
const CONFIGURATION = '@Microsoft.AppConfiguration(Endpoint=https://contoso.azconfig.io; Key=plant)';
const SECRET = '@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/hub-weu)';
const PLAIN_SECRET = 'HostName=contoso-weu.azure-devices.net;SharedAccessKey=c2VjcmV0';
const EU_AND_US = [
  { name: 'eu', location: 'westeurope', addressPrefix: '10.1.0.0/24' },
  { name: 'us', location: 'eastus', addressPrefix: '10.2.0.0/24' },
];
const HUBS_OF_BOTH = [hub('contoso-weu', { stamp: 'eu' }), hub('contoso-eus', { stamp: 'us' })];

type Refused = readonly [name: string, parameters: Parameters, ...sentences: readonly string[]];

/** Parameters with faults that do not touch each other, and the sentence for each. */
const REFUSED: readonly Refused[] = [
  [
    'more hubs than one DPS links',
    { hubs: Array.from({ length: 51 }, (_, index) => hub(`contoso-${index}`)) },
    'hubs has 51 hubs, and one DPS links at most 50: split the fleet into deployments with a DPS each.',
  ],
  [
    'hub names that Azure does not take, and hosts that are not hubs of the public cloud',
    {
      hubs: [
        hub('a'),
        hub('b'.repeat(51)),
        hub('contoso-'),
        hub('con_toso'),
        { ...hub('x'), host: 'contoso.example.com' },
        { ...hub('x'), host: 'contoso-cn.azure-devices.cn' },
        { ...hub('x'), host: 'contosohub' },
        { ...hub('x'), host: 'contoso-weu.device.azure-devices.net.example.com' },
      ],
    },
    '"a" is not a name for an IoT hub: write 3 to 50 letters, digits and hyphens, with a letter or digit at both ends.',
    `"${'b'.repeat(51)}" is not a name for an IoT hub`,
    '"contoso-" is not a name for an IoT hub',
    '"con_toso" is not a name for an IoT hub',
    '"contoso.example.com" is not a host name of an IoT hub: write NAME.azure-devices.net.',
    '"contoso-cn.azure-devices.cn" is not a host name of an IoT hub',
    '"contosohub" is not a host name of an IoT hub',
    '"contoso-weu.device.azure-devices.net.example.com" is not a host name of an IoT hub',
  ],
  [
    'one hub under two of its names, sizes that Azure does not have, and two free hubs',
    {
      hubs: [
        hub('contoso-weu'),
        { ...hub('x'), host: 'Contoso-WEU.device.azure-devices.net' },
        hub('contoso-s3', { tier: 'S3', units: 11 }),
        hub('contoso-f1', { tier: 'F1', units: 2 }),
        hub('contoso-f2', { tier: 'F1' }),
        hub('contoso-s1', { units: 201 }),
        hub('contoso-s2', { region: 'West Europe' }),
      ],
    },
    'The hub contoso-weu is in hubs more than once: write each hub once, under one of its names.',
    'The hub contoso-s3.azure-devices.net has the tier S3 and 11 units: S3 has at most 10. Write fewer, or add a hub.',
    'The hub contoso-f1.azure-devices.net has the tier F1 and 2 units: F1 has one unit. Write 1, or the tier S1.',
    'The hubs contoso-f1.azure-devices.net and contoso-f2.azure-devices.net are of the tier F1, and a subscription has one free hub',
    'The hub contoso-s1.azure-devices.net has 201 units: write 1 to 200.',
    'The hub contoso-s2.azure-devices.net has the region "West Europe": write its name in lower case without spaces, such as westeurope.',
  ],
  [
    'two free hubs that exist already in one subscription, and places that cannot be',
    {
      hubs: [
        hub('contoso-a', { tier: 'F1', azure: PLANT }),
        hub('contoso-b', { tier: 'F1' }),
        hub('contoso-c', {
          tier: 'F1',
          azure: { ...PLANT, subscription: PLANT.subscription.toUpperCase() },
        }),
        hub('contoso-d', { azure: { subscription: 'mine', resourceGroup: 'a/b' } }),
      ],
      existingDps: { name: 'x.azure', subscription: 'mine', resourceGroup: '' },
    },
    'The hubs contoso-a.azure-devices.net and contoso-c.azure-devices.net are of the tier F1, and a subscription has one free hub',
    'The hub contoso-d.azure-devices.net is in the subscription "mine": write its id in hubs[].azure',
    'The hub contoso-d.azure-devices.net is in the resource group "a/b"',
    'The DPS x.azure is in the subscription "mine"',
    'The DPS x.azure is in the resource group ""',
    '"x.azure" is not a name of a DPS: write it in `existingDps` without a domain.',
  ],
  [
    'labels and tags that cannot be tags',
    {
      tags: { owner: 'iot', 'a?b': 'x', 'azd-env-name': 'mine' },
      hubs: [
        hub('contoso-weu', {
          labels: { 'a/b': 'x', MicrosoftTeam: 'x', long: 'x'.repeat(257), Owner: 'me' },
        }),
        hub('contoso-neu', {
          labels: Object.fromEntries(Array.from({ length: 47 }, (_, i) => [`l${i}`, ''])),
        }),
        hub('contoso-eus', { labels: { [`${'k'.repeat(513)}`]: '' } }),
      ],
    },
    'The label "a/b" of the hub contoso-weu.azure-devices.net cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /.',
    'The label "MicrosoftTeam" of the hub contoso-weu.azure-devices.net begins with a word that Azure keeps for its own tags',
    'The label "long" of the hub contoso-weu.azure-devices.net has a value of 257 characters: a tag takes at most 256.',
    'The hub contoso-weu.azure-devices.net would have the tag "owner" more than once',
    'The hub contoso-neu.azure-devices.net would have more than 50 tags',
    `The label "${'k'.repeat(513)}" of the hub contoso-eus.azure-devices.net cannot be the name of a tag`,
    'The tag "a?b" of `tags` cannot be the name of a tag',
    '`tags` has azd-env-name or azd-service-name, which the template sets itself: remove it.',
  ],
  [
    'more tags than a zone of DNS takes',
    {
      ...ONE,
      networkAccess: 'private',
      tags: Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`tag${index}`, ''])),
    },
    '`tags` has 15 tags, and there is room for 14',
  ],
  [
    'a stamp of the fleet file that the parameters lack',
    { hubs: [hub('contoso-weu', { stamp: 'eu' })] },
    'The hub contoso-weu.azure-devices.net is of the stamp "eu", which `stamps` does not have: add it to `stamps`, or correct hubs[].stamp.',
    'No hub is of the stamp "main": remove it from `stamps`, or write it in hubs[].stamp.',
  ],
  [
    'several stamps where no hub names one',
    { ...ONE, stamps: EU_AND_US },
    'No hub names a stamp, and `stamps` has 2: every app would reconcile every hub. Write hubs[].stamp, or one stamp.',
  ],
  [
    'hubs with and without a stamp, and a stamp without a hub',
    { hubs: [hub('contoso-weu', { stamp: 'eu' }), hub('contoso-neu')], stamps: EU_AND_US },
    'The hub contoso-neu.azure-devices.net names no stamp and others do, so no app would reconcile it: write its stamp.',
    'No hub is of the stamp "us": remove it from `stamps`, or write it in hubs[].stamp.',
  ],
  [
    'names of stamps that are taken or cannot be part of a name',
    {
      hubs: ['eu', 'EU_1!', 'allocator', '', 'thirteenchars'].map((stamp, index) =>
        hub(`contoso-${index}`, { stamp }),
      ),
      stamps: ['eu', 'eu', 'EU_1!', 'allocator', '', 'thirteenchars'].map((name) => ({
        name,
        location: 'westeurope',
      })),
    },
    '`stamps` has the stamp "eu" more than once: give each its own name.',
    '"EU_1!" is not a name for a stamp: write 1 to 12 lower-case letters and digits, in `stamps` and in hubs[].stamp.',
    'The stamp name "allocator" is taken by the apps of `allocatorLocations`: write another.',
    '"" is not a name for a stamp',
    '"thirteenchars" is not a name for a stamp',
    'The hub contoso-3.azure-devices.net names no stamp and others do',
    'No hub is of the stamp ""',
  ],
  [
    'allocators that are too many, twice the same, or not in a region',
    {
      ...ONE,
      stamps: [{ name: 'main', location: 'westeurpe' }],
      allocatorLocations: ['northeurope', 'northeurope', 'North Europe', 'westus', 'eastus'],
    },
    '`allocatorLocations` has "northeurope" more than once: one app in a region is enough. Remove one.',
    'An allocator is in the region "North Europe": write the name of a region with the plan Flex Consumption, in lower case without spaces, one of australiaeast,',
    '`allocatorLocations` has 5 regions, and Front Door orders at most 5 apps, the one of the first stamp included: write at most 4.',
    'The stamp "main" is in the region "westeurpe"',
  ],
  [
    'availability zones where a stamp or an allocator has none',
    {
      ...ONE,
      stamps: [{ name: 'main', location: 'northcentralus' }],
      allocatorLocations: ['westus', 'eastus'],
      zoneRedundant: true,
    },
    'The stamp "main" is in northcentralus, a region without availability zones, and zoneRedundant is true: leave zoneRedundant out, or choose another region.',
    'An allocator is in westus, a region without availability zones, and zoneRedundant is true: leave zoneRedundant out, or choose another region.',
  ],
  ...['Standard_ZRS', 'Standard_GZRS'].map(
    (storageRedundancy): Refused => [
      `${storageRedundancy} where a stamp or an allocator has no availability zones`,
      {
        ...ONE,
        stamps: [{ name: 'main', location: 'westcentralus' }],
        allocatorLocations: ['ukwest', 'uksouth'],
        storageRedundancy,
      },
      `The stamp "main" is in westcentralus, a region without availability zones, and storageRedundancy is ${storageRedundancy}: write auto, Standard_LRS or Standard_GRS.`,
      `An allocator is in ukwest, a region without availability zones, and storageRedundancy is ${storageRedundancy}: write auto, Standard_LRS or Standard_GRS.`,
    ],
  ),
  ...['Standard_GRS', 'Standard_GZRS'].map(
    (storageRedundancy): Refused => [
      `${storageRedundancy} in regions that have no pair`,
      {
        ...ONE,
        stamps: [{ name: 'main', location: 'italynorth' }],
        allocatorLocations: ['spaincentral', 'westeurope'],
        storageRedundancy,
      },
      `The stamp "main" is in italynorth, a region without a paired region, and storageRedundancy is ${storageRedundancy}: write auto, Standard_LRS or Standard_ZRS.`,
      `An allocator is in spaincentral, a region without a paired region, and storageRedundancy is ${storageRedundancy}: write auto, Standard_LRS or Standard_ZRS.`,
    ],
  ),
  [
    'networks without addresses',
    {
      hubs: [hub('contoso-weu', { stamp: 'eu' })],
      networkAccess: 'private',
      stamps: [{ name: 'eu', location: 'westeurope' }],
      allocatorLocations: ['northeurope'],
    },
    'The stamp "eu" has no address range: write its addressPrefix in `stamps`, such as 10.40.0.0/24.',
    'The allocator in northeurope has no address range: write allocatorAddressPrefixes.northeurope, such as 10.40.0.0/24.',
  ],
  [
    'networks that overlap or are no ranges',
    {
      hubs: HUBS_OF_BOTH,
      networkAccess: 'private',
      stamps: EU_AND_US,
      allocatorLocations: ['northeurope', 'westus', 'eastus2', 'ukwest'],
      allocatorAddressPrefixes: {
        northeurope: '10.1.0.0/16',
        westus: '10.3.0.0/26',
        eastus2: '10.4.0.5/24',
        ukwest: '10.400/24',
      },
    },
    'The allocator in northeurope has the address range 10.1.0.0/16, which overlaps 10.1.0.0/24 of another network: write another in allocatorAddressPrefixes.northeurope.',
    'The allocator in westus has the address range "10.3.0.0/26": write the first address and the size, /8 to /25, such as 10.40.0.0/24, in allocatorAddressPrefixes.westus.',
    'The allocator in eastus2 has the address range "10.4.0.5/24"',
    'The allocator in ukwest has the address range "10.400/24"',
  ],
  [
    'app settings that the templates, the host or Azure decide',
    {
      ...ONE,
      appSettings: { BERTH_METRICS: 'otlp', azure_client_id: 'x', WEBSITE_RUN_FROM_PACKAGE: '1' },
      stamps: [{ name: 'main', location: 'westeurope', appSettings: { BERTH_STATE: 'x' } }],
    },
    '"BERTH_METRICS" of `appSettings` is an app setting that the templates decide: remove it. Other parameters change it.',
    '"azure_client_id" of `appSettings` is an app setting that the templates decide: remove it.',
    '"WEBSITE_RUN_FROM_PACKAGE" of `appSettings` is an app setting that Azure or its tools add, and that these apps do without: remove it.',
    '"BERTH_STATE" of `appSettings` of the stamp "main" is an app setting that the templates decide: remove it.',
  ],
  [
    'app settings that Azure does not take',
    {
      ...ONE,
      appSettings: {
        'ACR-USER': 'contoso',
        ACR_PASSWORD: '',
        TWICE: 'a',
        twice: 'b',
        NO_SECRET: '@Microsoft.KeyVault(https://contoso.vault.azure.net)',
        MISSPELT: '@Microsoft.KeyVaults(SecretUri=https://contoso.vault.azure.net/secrets/acr)',
      },
    },
    '"ACR-USER" of `appSettings` is not a name of an app setting: write letters, digits, underscores and periods.',
    '"ACR_PASSWORD" of `appSettings` is empty: write a value, or remove it.',
    '"twice" is in `appSettings` more than once: remove one.',
    '"NO_SECRET" of `appSettings` is not a reference to a secret: write @Microsoft.KeyVault(SecretUri=URI_OF_THE_SECRET).',
    '"MISSPELT" of `appSettings` is not a reference to a secret',
  ],
  [
    'secrets in the parameters, without showing them',
    {
      hubs: [hub('contoso-weu', { connection: 'HUB_WEU' })],
      appSettings: {
        HUB_WEU: 'c2VjcmV0',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=c2VjcmV0',
        OTHER: PLAIN_SECRET,
      },
    },
    '"HUB_WEU" of `appSettings` is a secret, and parameters are not: put it into a key vault, and write @Microsoft.KeyVault(SecretUri=URI_OF_THE_SECRET).',
    '"OTEL_EXPORTER_OTLP_HEADERS" of `appSettings` is a secret',
    '"OTHER" of `appSettings` is a secret',
  ],
  [
    'secrets in App Configuration',
    {
      hubs: [hub('contoso-weu', { connection: 'HUB_WEU' })],
      appSettings: { HUB_WEU: CONFIGURATION, OTEL_EXPORTER_OTLP_HEADERS: CONFIGURATION },
    },
    '"HUB_WEU" of `appSettings` is a secret, and parameters are not: put it into a key vault, and write @Microsoft.KeyVault(SecretUri=URI_OF_THE_SECRET).',
    '"OTEL_EXPORTER_OTLP_HEADERS" of `appSettings` is a secret',
  ],
  [
    'hubs whose connection strings are in app settings that are not declared for their stamps',
    {
      hubs: [
        hub('contoso-weu', { stamp: 'eu', connection: 'HUB_WEU' }),
        hub('contoso-neu', { stamp: 'eu', connection: 'HUB_NEU' }),
        hub('contoso-eus', { stamp: 'us', connection: 'HUB_WEU' }),
      ],
      stamps: [
        { name: 'eu', location: 'westeurope', appSettings: { HUB_WEU: SECRET } },
        { name: 'us', location: 'eastus' },
      ],
      appSettings: { OTHER: 'x' },
    },
    'The hub contoso-neu.azure-devices.net has its connection string in the app setting HUB_NEU (hubs[].connection), which `appSettings` does not declare: write it there as a Key Vault reference, or remove hubs[].connection.',
    'The hub contoso-eus.azure-devices.net has its connection string in the app setting HUB_WEU',
  ],
  [
    'names and principals that Azure does not take',
    {
      ...ONE,
      environmentName: 'my env.',
      operatorPrincipalId: 'me@contoso.com',
      alertEmail: 'me, you',
      actionGroupIds: ['pager'],
    },
    'environmentName is "my env.": write letters, digits, hyphens, underscores and periods, with no period at the end.',
    'operatorPrincipalId is "me@contoso.com", and an object id is a GUID: `az ad signed-in-user show --query id` prints yours.',
    'alertEmail is "me, you", which is not one e-mail address: write NAME@DOMAIN.',
    'The action group "pager" of actionGroupIds is not an id: `az monitor action-group list --query [].id` prints them.',
  ],
  [
    'hubs and a DPS without policies while DPS links by key',
    { ...ONE, disableLocalAuth: true, disableDpsLocalAuth: true },
    'disableLocalAuth is true and linkAuthentication is keys: DPS could not sign in to the hubs, and every registration would fail. Write linkAuthentication identity, or leave disableLocalAuth out.',
    'disableDpsLocalAuth needs the API of DPS that links by identity: write linkAuthentication identity, or leave disableDpsLocalAuth out.',
  ],
  [
    'metrics by OTLP without a receiver',
    { ...ONE, metrics: 'otlp' },
    '`metrics` is otlp and `otlpEndpoint` is empty: write the address of the receiver, or `metrics` azureMonitor.',
  ],
  [
    'a connection string to a hub without policies',
    {
      hubs: [hub('contoso-weu', { connection: 'HUB_WEU' })],
      appSettings: { HUB_WEU: SECRET },
      linkAuthentication: 'identity',
      disableLocalAuth: true,
    },
    'The hub contoso-weu.azure-devices.net has a connection string (hubs[].connection), which disableLocalAuth makes useless',
  ],
];

describeBicep('before anything is made, the templates refuse', () => {
  test.each(REFUSED)('%s', async (_, parameters, ...sentences) => {
    const said = await refusal(parameters);

    expect(sentences.filter((sentence) => !said?.includes(sentence))).toEqual([]);
    expect(said).not.toMatch(/c2VjcmV0/);
    // Nothing else is said: each problem ends with a period before the next begins with what it is about.
    expect(
      said?.split(
        /(?<=\.) (?=(?:The|An|No|`|"|hubs|environmentName|operatorPrincipalId|alertEmail|disable))/,
      ),
    ).toHaveLength(sentences.length);
  });
});
