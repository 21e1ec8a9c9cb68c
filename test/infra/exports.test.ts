import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { describeBicep, type Resource, type Snapshot, snapshotOf, snapshotOfFile } from './bicep.ts';
import { edgeFleet } from './fleets.ts';
import { at, lastPart, settingsOf } from './resource.ts';

describeBicep('the account of the daily exports', () => {
  let production: Snapshot;
  beforeAll(async () => {
    production = await snapshotOfFile('infra/production.bicepparam');
  });
  const all = (type: string, { predictedResources } = production) =>
    predictedResources.filter((resource) => resource.type === type);
  const isOfExports = ({ id }: Resource) => id.includes('/stexport');

  test('is an account of its own in each stamp, and the only one with versions', () => {
    const services = all('Microsoft.Storage/storageAccounts/blobServices');
    const versioned = services.filter(({ properties }) => at(properties, 'isVersioningEnabled') === true);

    expect(all('Microsoft.Storage/storageAccounts').filter(isOfExports)).toHaveLength(2);
    expect(versioned).toEqual(services.filter(isOfExports));
    expect(versioned.map(({ properties }) => properties)).toEqual([kept(90), kept(90)]);
  });

  test('has one container, with the name that the code uses', () => {
    const containers = all('Microsoft.Storage/storageAccounts/blobServices/containers').filter(isOfExports);
    const [, name] =
      /^const CONTAINER = '([^']+)';$/m.exec(readFileSync('src/instance/export-container.ts', 'utf8')) ?? [];

    expect(containers.map((container) => lastPart(container.name))).toEqual([name, name]);
  });

  test('lets the app write to this container, and to nothing else there', () => {
    const roles = all('Microsoft.Authorization/roleAssignments').filter(isOfExports);

    expect(roles).toHaveLength(2);
    for (const { id, properties } of roles) {
      expect(id).toContain('/containers/berth-exports');
      expect(String(at(properties, 'roleDefinitionId'))).toContain('ba92f5b4-2d11-453d-a403-e96b0029c9fe');
    }
  });

  test('removes exports and their versions after the same time', async () => {
    const other = await snapshotOf({ ...edgeFleet('every option'), exportRetentionDays: 30 });
    const actions = (snapshot: Snapshot) =>
      all('Microsoft.Storage/storageAccounts/managementPolicies', snapshot).map(({ properties }) => {
        const [rule] = at(properties, 'policy', 'rules') as readonly object[];
        return [at(rule, 'definition', 'filters', 'prefixMatch'), at(rule, 'definition', 'actions')];
      });
    const removal = (days: number) => [
      ['berth-exports/'],
      {
        baseBlob: { delete: { daysAfterModificationGreaterThan: days } },
        version: { delete: { daysAfterCreationGreaterThan: days } },
      },
    ];

    expect(actions(production)).toEqual([removal(90), removal(90)]);
    expect(new Set(actions(other).map((each) => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify(removal(30))]),
    );
  });

  test('is named by the settings of each stamp, and not by those of an allocator', () => {
    const settings = all('Microsoft.Web/sites').map((app) => settingsOf(app));
    const named = settings.filter((each) => each.BERTH_EXPORTS__blobServiceUri !== undefined);

    expect(named.map(({ BERTH_STAMP }) => BERTH_STAMP).sort()).toEqual(['eu', 'us']);
    for (const each of named) expect(each.BERTH_EXPORTS__blobServiceUri).toContain('stexport');
  });

  test('is reached through a private endpoint where the network is private', async () => {
    const snapshot = await snapshotOf(edgeFleet('all that is private'));
    const endpoints = all('Microsoft.Network/privateEndpoints', snapshot).filter(({ name }) =>
      name.startsWith('pe-exports-blob-'),
    );
    const accounts = all('Microsoft.Storage/storageAccounts', snapshot).filter(isOfExports);

    expect(accounts.length).toBeGreaterThan(0);
    expect(endpoints).toHaveLength(accounts.length);
  });
});

function kept(days: number) {
  return {
    isVersioningEnabled: true,
    deleteRetentionPolicy: { enabled: true, days },
    containerDeleteRetentionPolicy: { enabled: true, days },
  };
}
