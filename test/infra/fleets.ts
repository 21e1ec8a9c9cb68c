import type { Json, Parameters } from './bicep.ts';

export type HubOfFile = { readonly [key: string]: Json };

/** A hub as a fleet file has it. */
export function hub(name: string, more: Readonly<Record<string, Json>> = {}): HubOfFile {
  return { host: `${name}.azure-devices.net`, region: 'westeurope', tier: 'S1', ...more };
}

const many = (count: number, of: (index: number) => HubOfFile) =>
  Array.from({ length: count }, (_, i) => of(i));

/** Fleets at the edges of what Azure takes, by what is special about them. */
export const EDGE_FLEETS = {
  'the longest names': {
    environmentName: 'e'.repeat(40),
    location: 'germanywestcentral',
    hubs: [hub('h'.repeat(50), { stamp: 'stamp1234567', tier: 'S3', units: 10 })],
    stamps: [{ name: 'stamp1234567', location: 'germanywestcentral', partitions: 32, throughputUnits: 40 }],
    allocatorLocations: ['southafricanorth', 'southcentralus', 'northcentralus', 'australiasoutheast'],
  },
  'the shortest names': {
    environmentName: 'e',
    hubs: [hub('a-1', { stamp: '1', tier: 'F1' })],
    stamps: [{ name: '1', location: 'ukwest' }],
  },
  'fifty hubs': { hubs: many(50, (index) => hub(`contoso-${index}`, { units: 200 })) },
  'all that is private': {
    networkAccess: 'private',
    hubs: [hub('contoso-weu', { stamp: 'eu' }), hub('contoso-eus', { stamp: 'us', region: 'eastus' })],
    stamps: [
      { name: 'eu', location: 'westeurope', addressPrefix: '10.1.0.0/25' },
      { name: 'us', location: 'eastus', addressPrefix: '10.1.0.128/25' },
    ],
    allocatorLocations: ['northeurope'],
    allocatorAddressPrefixes: { northeurope: '10.1.1.0/24' },
  },
  'links by identity, and stamps whose names are parts of other names': {
    linkAuthentication: 'identity',
    enableDataResidency: true,
    disableLocalAuth: true,
    disableDpsLocalAuth: true,
    hubs: [
      hub('contoso-weu', { stamp: 'dps' }),
      { ...hub('x', { stamp: 'route' }), host: 'Contoso-NEU.service.azure-devices.net' },
      hub('contoso-eus', { stamp: 'alloc', region: 'eastus' }),
    ],
    stamps: ['dps', 'route', 'alloc'].map((name) => ({ name, location: 'westeurope' })),
    allocatorLocations: ['westeurope'],
  },
  'every option': {
    hubs: [hub('contoso-weu', { labels: { residency: 'eu', 'cost center': '4711' }, capacity: 500_000 })],
    operatorPrincipalId: '00000000-0000-0000-0000-00000000000a',
    operatorPrincipalType: 'Group',
    alertEmail: 'iot@contoso.com',
    zoneRedundant: true,
    storageRedundancy: 'Standard_GZRS',
    siteUpdateStrategy: 'RollingUpdate',
    httpAlwaysReady: 0,
    tags: { owner: 'iot' },
  },
} satisfies Readonly<Record<string, Parameters>>;

/** One of {@link EDGE_FLEETS}, as any parameters. */
export function edgeFleet(name: keyof typeof EDGE_FLEETS): Parameters {
  return EDGE_FLEETS[name];
}
