import { expect, test } from '@jest/globals';
import { describeBicep, type Parameters, snapshotOf } from './bicep.ts';
import { hub } from './fleets.ts';
import { at, lastPart } from './resource.ts';

describeBicep('the options', () => {
  const one = async (parameters: Parameters, type: string) =>
    (await snapshotOf({ hubs: [hub('contoso-weu')], ...parameters })).predictedResources.filter(
      (resource) => resource.type === type,
    );

  test('links by key use the API version that has always had them, and links by identity the first that has those', async () => {
    const [byKey] = await one({}, 'Microsoft.Devices/provisioningServices');
    const [byIdentity] = await one(
      { linkAuthentication: 'identity' },
      'Microsoft.Devices/provisioningServices',
    );

    expect(byKey).toMatchObject({ apiVersion: '2022-12-12' });
    expect(at(byKey?.properties, 'iotHubs')).toEqual([
      {
        location: 'westeurope',
        connectionString: expect.stringMatching(
          /IotHubs\/contoso-weu', .*\.hostName, 'iothubowner', .*listKeys\(/,
        ),
      },
    ]);
    expect(byIdentity).toMatchObject({ apiVersion: '2026-08-31' });
    expect(at(byIdentity?.properties, 'iotHubs')).toEqual([
      {
        location: 'westeurope',
        hostName: expect.stringContaining('IotHubs/contoso-weu'),
        authenticationType: 'UserAssigned',
        selectedUserAssignedIdentityResourceId: expect.stringContaining('id-berth-dps-'),
      },
    ]);
    expect(JSON.stringify(byIdentity)).not.toContain('listKeys');
  });

  test('another role for links by identity is given instead of the documented one', async () => {
    const role = '4ea46cd5-c1b2-4a8e-910b-273211f9ce47';
    const assigned = await one(
      { linkAuthentication: 'identity', linkRoleId: role },
      'Microsoft.Authorization/roleAssignments',
    );

    const roles = assigned.map(({ properties }) => lastPart(String(at(properties, 'roleDefinitionId'))));
    expect(roles).toContain(role);
    expect(roles).not.toContain('4fc6c259-987e-4a07-842e-c321cc9d413f');
  });

  test('data residency and local authentication are left to Azure where nothing is said', async () => {
    const [plain] = await one({}, 'Microsoft.Devices/IotHubs');
    const [resident] = await one({ enableDataResidency: true }, 'Microsoft.Devices/IotHubs');
    const [residentDps] = await one({ enableDataResidency: true }, 'Microsoft.Devices/provisioningServices');

    expect(plain?.properties).not.toHaveProperty('enableDataResidency');
    expect(at(plain?.properties, 'disableLocalAuth')).toBe(false);
    expect(at(resident?.properties, 'enableDataResidency')).toBe(true);
    expect(at(residentDps?.properties, 'enableDataResidency')).toBe(true);
  });

  test('hubs without local authentication are warned of in the outputs', async () => {
    const { outputs } = await snapshotOf({
      hubs: [hub('contoso-weu')],
      linkAuthentication: 'identity',
      disableLocalAuth: true,
    });

    expect(outputs.WARNINGS).toEqual([expect.stringContaining('disableLocalAuth')]);
    expect((await snapshotOf({ hubs: [hub('contoso-weu')] })).outputs.WARNINGS).toEqual([]);
  });

  test('capacities above a million registrations are warned of in the outputs', async () => {
    const { outputs } = await snapshotOf({
      hubs: [
        hub('contoso-a', { capacity: 600_000 }),
        hub('contoso-b', { capacity: 400_001 }),
        hub('contoso-c'),
      ],
    });

    expect(outputs.WARNINGS).toEqual([expect.stringContaining('1000001 devices together')]);
  });

  test.each([
    ['westeurope', 'auto', 'Recreate'],
    ['westus2', 'auto', 'RollingUpdate'],
    ['westus2', 'Recreate', 'Recreate'],
    ['westeurope', 'RollingUpdate', 'RollingUpdate'],
  ])('in %s siteUpdateStrategy %s is %s', async (location, siteUpdateStrategy, expected) => {
    const [site] = await one({ location, siteUpdateStrategy }, 'Microsoft.Web/sites');

    expect(at(site?.properties, 'functionAppConfig', 'siteUpdateStrategy', 'type')).toBe(expected);
  });

  test('the kind of an operator is the given one, that of who deploys, or left to Azure', async () => {
    const operatorPrincipalId = '00000000-0000-0000-0000-00000000000b';
    const kind = async (more: Parameters) => {
      const assigned = await one({ operatorPrincipalId, ...more }, 'Microsoft.Authorization/roleAssignments');
      return assigned
        .filter(({ properties }) => at(properties, 'principalId') === operatorPrincipalId)
        .map(({ properties }) => at(properties, 'principalType'));
    };

    expect(await kind({ operatorPrincipalType: 'Group' })).toEqual(['Group']);
    expect(await kind({})).toEqual([
      expect.stringContaining(`equals('${operatorPrincipalId}', deployer().objectId)`),
    ]);
  });

  test('a network keeps its addresses when a stamp before it goes', async () => {
    const us = { name: 'us', location: 'eastus', addressPrefix: '10.9.0.0/24' };
    const eu = { name: 'eu', location: 'westeurope', addressPrefix: '10.8.0.0/24' };
    const hubs = [hub('contoso-eus', { stamp: 'us' })];
    const addresses = async (parameters: Parameters) =>
      (await one({ networkAccess: 'private', ...parameters }, 'Microsoft.Network/virtualNetworks'))
        .filter(({ name }) => name.startsWith('vnet-berth-us-'))
        .map(({ properties }) => at(properties, 'addressSpace'));

    const before = await addresses({
      stamps: [eu, us],
      hubs: [...hubs, hub('contoso-weu', { stamp: 'eu' })],
    });

    expect(before).toEqual([{ addressPrefixes: ['10.9.0.0/24'] }]);
    expect(await addresses({ stamps: [us], hubs })).toEqual(before);
  });
});
