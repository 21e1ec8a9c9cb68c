import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { describeBicep, type Resource, type Snapshot, snapshotOf, snapshotOfFile } from './bicep.ts';
import { edgeFleet } from './fleets.ts';
import { at, lastPart } from './resource.ts';

/** Built-in roles, as Azure publishes them (azure-docs, role-based-access-control/built-in-roles.md). */
const ROLES: Readonly<Record<string, string>> = {
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe': 'Storage Blob Data Contributor',
  '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1': 'Storage Blob Data Reader',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
  'a638d3c7-ab3a-418d-83e6-5f17a39d4fde': 'Event Hubs Data Receiver',
  '2b629674-e913-4c01-ae53-ef4638d8f975': 'Event Hubs Data Sender',
  '494bdba2-168f-4f31-a0a1-191d2f7c028c': 'IoT Hub Twin Contributor',
  'b447c946-2db7-41ec-983d-d8bf3b1c77e3': 'IoT Hub Data Reader',
  '4fc6c259-987e-4a07-842e-c321cc9d413f': 'IoT Hub Data Contributor',
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
};

/** One assignment: who, which role, on what. Names without the part that makes them unique. */
function assignmentOf({ id, name, properties }: Resource): string {
  const principal = String(at(properties, 'principalId'));
  const role = lastPart(String(at(properties, 'roleDefinitionId')));
  // The scope is the first argument of extensionResourceId(), or what is before the assignment's own part of the id.
  const scope =
    /^\[extensionResourceId\('([^']+)'/.exec(id)?.[1] ?? id.split('/providers/Microsoft.Authorization/')[0];
  // A name that does not follow the principal would collide with that of an identity that is made again.
  if (principal.startsWith('[')) expect(name).toContain(principal.slice(1, -1));
  if (name.startsWith('[')) expect(name).toContain(role);
  return `${short(principal)} -> ${ROLES[role] ?? role} -> ${short(scope ?? '')}`;
}

/** The type and name of what a text refers to, such as `sites/func-berth-eu`. */
function short(text: string): string {
  const parts = /resourceGroups\/[^/]+\/providers\/[\w.]+\/([^'[\]]+)/.exec(text)?.[1]?.split('/') ?? [text];
  const name = parts.slice(-2).join('/');
  return name.replace(/-[a-z0-9]{13}$/, '').replace(/(sthost|ststate|stalloc|stexport)[a-z0-9]{13}$/, '$1');
}

const assignments = ({ predictedResources }: Snapshot) =>
  predictedResources.filter(({ type }) => type === 'Microsoft.Authorization/roleAssignments');

describeBicep('role assignments', () => {
  let production: Snapshot;
  beforeAll(async () => {
    production = await snapshotOfFile('infra/production.bicepparam');
  });

  test('are these for two stamps and an allocator, and no others', () => {
    const app = (stamp: string, hubs: readonly string[]) => [
      `userAssignedIdentities/id-berth-${stamp} -> Storage Blob Data Owner -> storageAccounts/sthost`,
      `userAssignedIdentities/id-berth-${stamp} -> Storage Table Data Contributor -> storageAccounts/ststate`,
      `userAssignedIdentities/id-berth-${stamp} -> Storage Blob Data Contributor -> containers/berth-exports`,
      `userAssignedIdentities/id-berth-${stamp} -> Event Hubs Data Receiver -> eventhubs/twin-events`,
      `userAssignedIdentities/id-berth-${stamp} -> Monitoring Metrics Publisher -> components/appi-berth-${stamp}`,
      `userAssignedIdentities/id-berth-route-${stamp} -> Event Hubs Data Sender -> eventhubs/twin-events`,
      ...hubs.flatMap((name) => [
        `userAssignedIdentities/id-berth-${stamp} -> IoT Hub Twin Contributor -> IotHubs/${name}`,
        `userAssignedIdentities/id-berth-${stamp} -> IoT Hub Data Reader -> IotHubs/${name}`,
        `IotHubs/${name} -> Event Hubs Data Sender -> eventhubs/twin-events`,
      ]),
    ];

    expect(assignments(production).map(assignmentOf).sort()).toEqual(
      [
        ...app('eu', ['contoso-prod-weu', 'contoso-prod-neu']),
        ...app('us', ['contoso-prod-eus']),
        'userAssignedIdentities/id-berth-alloc-northeurope -> Storage Blob Data Owner -> storageAccounts/stalloc',
        'userAssignedIdentities/id-berth-alloc-northeurope -> Storage Table Data Contributor -> storageAccounts/ststate',
        'userAssignedIdentities/id-berth-alloc-northeurope -> Monitoring Metrics Publisher -> components/appi-berth-eu',
      ].sort(),
    );
  });

  test('give an app rights on the Event Hub and the storage of its own stamp only', () => {
    for (const { id, properties } of assignments(production)) {
      const stampOf = (text: string) =>
        /(?:id-berth|id-berth-route|appi-berth|evhns-berth)-(eu|us)-/.exec(text)?.[1];
      const [who, what] = [
        stampOf(String(at(properties, 'principalId'))),
        stampOf(id.split('/roleAssignments')[0] ?? ''),
      ];
      if (who !== undefined && what !== undefined) expect([id, what]).toEqual([id, who]);
    }
  });

  test('name the kind of every principal, so that a new identity need not be known to the directory yet', () => {
    for (const assignment of assignments(production))
      expect(at(assignment.properties, 'principalType')).toBe('ServicePrincipal');
  });

  test('with links by identity give DPS the documented role on each hub, and nothing else', async () => {
    const snapshot = await snapshotOf(
      edgeFleet('links by identity, and stamps whose names are parts of other names'),
    );

    expect(
      assignments(snapshot)
        .map(assignmentOf)
        .filter((assignment) => assignment.startsWith('userAssignedIdentities/id-berth-link-dps')),
    ).toEqual([
      'userAssignedIdentities/id-berth-link-dps -> IoT Hub Data Contributor -> IotHubs/contoso-weu',
      'userAssignedIdentities/id-berth-link-dps -> IoT Hub Data Contributor -> IotHubs/contoso-neu',
      'userAssignedIdentities/id-berth-link-dps -> IoT Hub Data Contributor -> IotHubs/contoso-eus',
    ]);
  });

  test('with deployments of IoT Edge give each app one right more on its own hubs, by a custom role', async () => {
    const parameters = edgeFleet('links by identity, and stamps whose names are parts of other names');
    const without = await snapshotOf(parameters);
    const snapshot = await snapshotOf({ ...parameters, appliesManifests: true });
    const definitions = snapshot.predictedResources.filter(
      ({ type }) => type === 'Microsoft.Authorization/roleDefinitions',
    );
    const added = assignments(snapshot).filter(
      ({ id }) => !assignments(without).some((each) => each.id === id),
    );

    expect(without.predictedResources.map(({ type }) => type)).not.toContain(
      'Microsoft.Authorization/roleDefinitions',
    );
    expect(
      definitions.map(({ properties }) => [at(properties, 'roleName'), at(properties, 'permissions')]),
    ).toEqual(
      ['contoso-weu', 'contoso-neu', 'contoso-eus'].map((name) => [
        `Berth Edge Deployer (${name})`,
        [
          {
            actions: [],
            notActions: [],
            dataActions: ['Microsoft.Devices/IotHubs/configurations/applyToEdgeDevice/action'],
            notDataActions: [],
          },
        ],
      ]),
    );
    expect(added).toHaveLength(3);
  });

  test('with parents that Berth enters give each app the right to update identities, by a custom role of its own', async () => {
    const parameters = edgeFleet('links by identity, and stamps whose names are parts of other names');
    const snapshot = await snapshotOf({ ...parameters, setsScopes: true });
    const definitions = snapshot.predictedResources.filter(
      ({ type }) => type === 'Microsoft.Authorization/roleDefinitions',
    );

    expect(
      definitions.map(({ properties }) => [at(properties, 'roleName'), at(properties, 'permissions')]),
    ).toEqual(
      ['contoso-weu', 'contoso-neu', 'contoso-eus'].map((name) => [
        `Berth Scope Writer (${name})`,
        [
          {
            actions: [],
            notActions: [],
            dataActions: ['Microsoft.Devices/IotHubs/devices/write'],
            notDataActions: [],
          },
        ],
      ]),
    );
    expect(assignments(snapshot).length - assignments(await snapshotOf(parameters)).length).toBe(3);
  });

  test('with a method that asks devices to move give each app the right to call it, by a custom role of its own', async () => {
    const parameters = edgeFleet('links by identity, and stamps whose names are parts of other names');
    const snapshot = await snapshotOf({ ...parameters, callsMethods: true });
    const definitions = snapshot.predictedResources.filter(
      ({ type }) => type === 'Microsoft.Authorization/roleDefinitions',
    );

    expect(
      definitions.map(({ properties }) => [at(properties, 'roleName'), at(properties, 'permissions')]),
    ).toEqual(
      ['contoso-weu', 'contoso-neu', 'contoso-eus'].map((name) => [
        `Berth Method Caller (${name})`,
        [
          {
            actions: [],
            notActions: [],
            dataActions: ['Microsoft.Devices/IotHubs/directMethods/invoke/action'],
            notDataActions: [],
          },
        ],
      ]),
    );
    expect(assignments(snapshot).length - assignments(await snapshotOf(parameters)).length).toBe(3);
  });

  test('give an operator the state, its exports to read, and nothing else', async () => {
    const parameters = edgeFleet('every option');
    const operator = String(parameters.operatorPrincipalId);
    const snapshot = await snapshotOf(parameters);

    expect(
      assignments(snapshot)
        .map(assignmentOf)
        .filter((assignment) => assignment.startsWith(operator)),
    ).toEqual([
      `${operator} -> Storage Table Data Contributor -> storageAccounts/ststate`,
      `${operator} -> Storage Blob Data Reader -> containers/berth-exports`,
    ]);
  });
});

describe('the pages about roles', () => {
  test.each(Object.values(ROLES))('infra/README.md and roles.bicep explain the role %s', (name) => {
    expect(readFileSync('infra/README.md', 'utf8')).toContain(`\n| ${name} |`);
    expect(readFileSync('infra/roles.bicep', 'utf8')).toContain(`\n//   ${name} `);
  });
});
