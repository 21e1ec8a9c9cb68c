import { expect, test } from '@jest/globals';
import { describeBicep, type Parameters, type Resource, snapshotOf } from './bicep.ts';
import { EDGE_FLEETS, edgeFleet, hub } from './fleets.ts';
import { at, lastPart } from './resource.ts';

/** Nothing but what must be said. */
const PLAIN: Parameters = { hubs: [hub('contoso-weu')] };
const BY_IDENTITY = edgeFleet('links by identity, and stamps whose names are parts of other names');
/** With a person who is called. */
const CALLED: Parameters = { ...PLAIN, alertEmail: 'iot@contoso.com' };
const OPERATOR = '00000000-0000-0000-0000-00000000000b';

describeBicep('the options', () => {
  const all = async (parameters: Parameters, type: string): Promise<readonly Resource[]> =>
    (await snapshotOf(parameters)).predictedResources.filter((resource) => resource.type === type);

  test('links by identity give DPS an identity, and links by key give it none', async () => {
    const [plain] = await all(PLAIN, 'Microsoft.Devices/provisioningServices');
    const [byIdentity] = await all(BY_IDENTITY, 'Microsoft.Devices/provisioningServices');

    expect(plain?.identity ?? null).toBeNull();
    expect(byIdentity?.identity).toMatchObject({ type: 'UserAssigned' });
    expect(JSON.stringify([plain, byIdentity])).not.toContain('listKeys');
  });

  test('another role for links by identity is assigned instead of the documented one', async () => {
    const role = '4ea46cd5-c1b2-4a8e-910b-273211f9ce47';
    const assigned = await all(
      { ...PLAIN, linkAuthentication: 'identity', linkRoleId: role },
      'Microsoft.Authorization/roleAssignments',
    );

    const roles = assigned.map(({ properties }) => lastPart(String(at(properties, 'roleDefinitionId'))));
    expect(roles).toContain(role);
    expect(roles).not.toContain('4fc6c259-987e-4a07-842e-c321cc9d413f');
  });

  test.each(['Microsoft.Devices/IotHubs', 'Microsoft.Devices/provisioningServices'])(
    'data residency and local authentication of %s stay as they are by default, and change on demand',
    async (type) => {
      const [plain] = await all(PLAIN, type);
      const [changed] = await all(BY_IDENTITY, type);

      expect(at(plain?.properties, 'enableDataResidency') ?? null).toBeNull();
      expect(at(plain?.properties, 'disableLocalAuth') ?? false).toBe(false);
      expect(changed?.properties).toMatchObject({ enableDataResidency: true, disableLocalAuth: true });
    },
  );

  test('the outputs warn of hubs without local authentication', async () => {
    expect((await snapshotOf(CALLED)).outputs.WARNINGS).toEqual([]);
    expect(
      (await snapshotOf({ ...BY_IDENTITY, ...CALLED, hubs: BY_IDENTITY.hubs ?? [] })).outputs.WARNINGS,
    ).toEqual([expect.stringContaining('disableLocalAuth')]);
  });

  test('the outputs warn of capacities above a million registrations', async () => {
    const capacities = [600_000, 400_001].map((capacity, index) => hub(`contoso-${index}`, { capacity }));
    const { outputs } = await snapshotOf({
      ...CALLED,
      hubs: [...capacities, hub('contoso-c')],
      operatorPrincipalId: OPERATOR,
    });

    expect(outputs.WARNINGS).toEqual([expect.stringContaining('1000001 devices together')]);
  });

  test.each([
    ['auto', 'Recreate', 'RollingUpdate'],
    ['Recreate', 'Recreate', 'Recreate'],
    ['RollingUpdate', 'RollingUpdate', 'RollingUpdate'],
  ])(
    'siteUpdateStrategy %s is %s in westeurope, and %s in westus2, where it is generally available',
    async (siteUpdateStrategy, inEurope, inAmerica) => {
      const sites = await all(
        {
          siteUpdateStrategy,
          hubs: ['eu', 'us'].map((stamp) => hub(`contoso-${stamp}`, { stamp })),
          stamps: [
            { name: 'eu', location: 'westeurope' },
            { name: 'us', location: 'westus2' },
          ],
        },
        'Microsoft.Web/sites',
      );

      expect(
        sites.map(({ location, properties }) => [
          location,
          at(properties, 'functionAppConfig', 'siteUpdateStrategy', 'type'),
        ]),
      ).toEqual([
        ['westeurope', inEurope],
        ['westus2', inAmerica],
      ]);
    },
  );

  test('the kind of an operator is the given one, else the kind of the deployer, else left to Azure', async () => {
    const kinds = async (parameters: Parameters) =>
      (await all(parameters, 'Microsoft.Authorization/roleAssignments'))
        .filter(({ properties }) => at(properties, 'principalId') === parameters.operatorPrincipalId)
        .map(({ properties }) => at(properties, 'principalType'));

    expect(await kinds(edgeFleet('every option'))).toEqual(['Group', 'Group']);
    // An expression, because only Azure knows who deploys.
    const looked = expect.stringContaining(`equals('${OPERATOR}', deployer().objectId)`);
    expect(await kinds({ ...PLAIN, operatorPrincipalId: OPERATOR })).toEqual([looked, looked]);
  });

  test('a network keeps its addresses when a stamp before it is removed', async () => {
    const { hubs, stamps, ...both } = EDGE_FLEETS['all that is private'];
    const addresses = async (parameters: Parameters) =>
      (await all(parameters, 'Microsoft.Network/virtualNetworks'))
        .filter(({ name }) => name.startsWith('vnet-berth-us-'))
        .map(({ properties }) => at(properties, 'addressSpace'));

    expect(await addresses({ ...both, hubs, stamps })).toEqual([{ addressPrefixes: ['10.1.0.128/25'] }]);
    expect(await addresses({ ...both, hubs: hubs.slice(1), stamps: stamps.slice(1) })).toEqual([
      { addressPrefixes: ['10.1.0.128/25'] },
    ]);
  });
});
