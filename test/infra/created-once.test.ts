import { expect, test } from '@jest/globals';
import { readConnections } from '../../src/connect/connections.ts';
import { wantedHubs } from '../../src/connect/wanted.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { describeBicep, type Parameters, type Snapshot, snapshotOf, templateOf } from './bicep.ts';
import { hub } from './fleets.ts';
import { at, lastPart } from './resource.ts';

const OTHER = '91d12660-3dec-467a-be2a-213b5544ddc0';
const PLACE = { subscription: OTHER, resourceGroup: 'plant' };
const HUBS = [
  hub('contoso-weu'),
  hub('contoso-plant', { azure: PLACE, tier: 'S2', units: 3, labels: { 'a/b': 'no tag' } }),
];
const DPS = { ...PLACE, name: 'plant-dps' };

const HUB = 'Microsoft.Devices/IotHubs';
const PROVISIONING = 'Microsoft.Devices/provisioningServices';

/** Every resource of a compiled template, those of its modules included. */
function resourcesIn(json: unknown): readonly Record<string, unknown>[] {
  if (typeof json !== 'object' || json === null) return [];
  const own = json as Record<string, unknown>;
  const inner = Object.values(own).flatMap(resourcesIn);
  return typeof own.type === 'string' && typeof own.apiVersion === 'string' ? [own, ...inner] : inner;
}

const of = ({ predictedResources }: Snapshot, type: string) =>
  predictedResources.filter((resource) => resource.type === type);
/** The assignments on resources of the group `plant`. */
const assignmentsThere = (snapshot: Snapshot) =>
  of(snapshot, 'Microsoft.Authorization/roleAssignments')
    .filter(({ id }) => id.startsWith(`[extensionResourceId('/subscriptions/${OTHER}/resourceGroups/plant/`))
    .map(({ id, properties }) => [
      /IotHubs\/[^']+/.exec(id)?.[0],
      /id-berth-[a-z-]+?(?=-\w{13}')/.exec(String(at(properties, 'principalId')))?.[0],
      lastPart(String(at(properties, 'roleDefinitionId'))),
    ]);

describeBicep('hubs and DPS', () => {
  test('are created once, and no template writes them again', async () => {
    const written = resourcesIn(await templateOf('infra/main.bicep')).filter(
      ({ type, existing }) => (type === HUB || type === PROVISIONING) && existing !== true,
    );

    expect(written.map(({ type }) => type).sort()).toEqual([HUB, PROVISIONING]);
    for (const resource of written) expect(resource['@options']).toHaveProperty('onlyIfNotExists');
  });

  test('that exist already get roles and one diagnostic setting in their own resource group, and nothing else there', async () => {
    const snapshot = await snapshotOf({ hubs: HUBS, existingDps: DPS });

    expect(of(snapshot, HUB).map(({ name }) => name)).toEqual(['contoso-weu']);
    expect(of(snapshot, PROVISIONING)).toEqual([]);
    expect(assignmentsThere(snapshot)).toEqual([
      ['IotHubs/contoso-plant', 'id-berth-main', '494bdba2-168f-4f31-a0a1-191d2f7c028c'],
      ['IotHubs/contoso-plant', 'id-berth-main', 'b447c946-2db7-41ec-983d-d8bf3b1c77e3'],
    ]);
    const elsewhere = snapshot.predictedResources.filter(
      ({ id, type }) => id.includes(OTHER) && type !== 'Microsoft.Authorization/roleAssignments',
    );
    expect(elsewhere.map(({ type, name }) => [type, name])).toEqual([
      ['Microsoft.Insights/diagnosticSettings', 'berth'],
      ['Microsoft.Insights/diagnosticSettings', 'berth'],
    ]);
  });

  test('that exist already give DPS its role where links are by identity', async () => {
    const snapshot = await snapshotOf({ hubs: HUBS, existingDps: DPS, linkAuthentication: 'identity' });

    expect(assignmentsThere(snapshot)).toContainEqual([
      'IotHubs/contoso-plant',
      'id-berth-link-dps',
      '4fc6c259-987e-4a07-842e-c321cc9d413f',
    ]);
  });

  test('that exist already are watched by alerts in their own place', async () => {
    const alerts = of(await snapshotOf({ hubs: HUBS }), 'Microsoft.Insights/metricAlerts').filter(
      ({ name }) => name.endsWith('contoso-plant'),
    );

    const place = `/subscriptions/${OTHER}/resourceGroups/plant/providers/${HUB}/contoso-plant`;
    expect(alerts.map(({ name, properties }) => [name, at(properties, 'scopes')])).toEqual([
      ['berth-quota-contoso-plant', [place]],
      ['berth-routing-contoso-plant', [place]],
    ]);
  });

  test('of the outputs are those that berth connect looks for', async () => {
    const parameters: Parameters = { hubs: HUBS, existingDps: DPS };
    const snapshot = await snapshotOf(parameters);
    const parsed = parseFleet(JSON.stringify({ hubs: HUBS }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const connections = readConnections(JSON.stringify(snapshot.outputs.BERTH_CONNECTIONS));

    const { hubs, notDeployed } = wantedHubs(parsed.fleet.file.hubs, connections);

    expect(notDeployed).toEqual([]);
    expect(hubs.map(({ id, isManaged }) => [id, isManaged])).toEqual([
      [of(snapshot, HUB)[0]?.id, true],
      [`/subscriptions/${OTHER}/resourceGroups/plant/providers/${HUB}/contoso-plant`, false],
    ]);
    expect(connections.dps.id).toBe(
      `/subscriptions/${OTHER}/resourceGroups/plant/providers/${PROVISIONING}/plant-dps`,
    );
    expect(snapshot.outputs.DPS_NAME).toBe('plant-dps');
  });
});
