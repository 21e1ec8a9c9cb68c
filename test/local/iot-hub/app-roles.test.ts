import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { APP_ROLES, type AppNeeds, appPolicy } from '../../../local/iot-hub/model/app-roles.ts';
import { allows, type DataAction } from '../../../local/iot-hub/model/data-action.ts';

/* The app may do locally what the roles of the templates allow it in Azure, and nothing else. */

const HUB_ROLES = readFileSync('infra/modules/hub-roles.bicep', 'utf8');
const ROLES = readFileSync('infra/roles.bicep', 'utf8');
const PAGE = readFileSync('infra/README.md', 'utf8');
/** Names and data actions of the built-in roles, as Azure publishes them (azure-docs, built-in-roles/internet-of-things.md). */
const BUILT_IN: Readonly<Record<string, { readonly name: string; readonly dataActions: readonly string[] }>> =
  {
    iotHubTwinContributor: {
      name: 'IoT Hub Twin Contributor',
      dataActions: ['Microsoft.Devices/IotHubs/twins/*'],
    },
    iotHubDataReader: {
      name: 'IoT Hub Data Reader',
      dataActions: [
        'Microsoft.Devices/IotHubs/*/read',
        'Microsoft.Devices/IotHubs/fileUpload/notifications/action',
      ],
    },
  };
/** The variables of roles.bicep with the data actions of custom roles, and the parameters that turn them on. */
const CUSTOM: Readonly<Record<string, keyof AppNeeds>> = {
  edgeDataActions: 'appliesManifests',
  scopeDataActions: 'setsScopes',
  methodDataActions: 'callsMethods',
};

const byName = <Item extends { readonly name: string }>(items: readonly Item[]) =>
  [...items].sort((left, right) => (left.name < right.name ? -1 : 1));

/** The roles that hub-roles.bicep gives the app. */
function rolesOfTemplates() {
  const assigned = [...HUB_ROLES.matchAll(/roleDefinitionId: (.+)/g)].map(([, id = '']) => id);
  const builtIn = assigned.flatMap((id) => {
    const role = BUILT_IN[/roles\.(\w+)\)/.exec(id)?.[1] ?? ''];
    return role === undefined ? [] : [role];
  });
  const custom = Object.entries(CUSTOM).map(([variable, onlyWith]) => {
    const definition = new RegExp(
      `resource (\\w+) [^\\n]* = if \\(${onlyWith}\\) \\{[^]*?roleName: '([^'(]+) \\([^]*?dataActions: ${variable}`,
    ).exec(HUB_ROLES);
    const [, symbol = '', name = ''] = definition ?? [];
    expect(assigned).toContain(`${symbol}.id`);
    const text = new RegExp(`var ${variable} = \\[([^\\]]*)\\]`).exec(ROLES)?.[1] ?? '';
    const dataActions = [...text.matchAll(/'([^']+)'/g)].map(([, action = '']) => action);
    return { name, dataActions, onlyWith };
  });
  expect(builtIn.length + custom.length).toBe(assigned.length);
  return [...builtIn, ...custom];
}

test('the roles of the app on local hubs are those of the templates', () => {
  expect(byName(APP_ROLES)).toEqual(byName(rolesOfTemplates()));
});

test.each(APP_ROLES.map(({ name }) => name))('infra/README.md explains the role %s', (name) => {
  expect(PAGE).toContain(`\n| ${name} |`);
});

describe('the app', () => {
  let needs: AppNeeds;
  beforeAll(() => {
    needs = { appliesManifests: false, setsScopes: false, callsMethods: false };
  });
  const policy = appPolicy(() => needs);
  const may = (action: DataAction) => allows(policy.dataActions?.() ?? [], action);

  test.each<DataAction>([
    'twins/read',
    'twins/write',
    'devices/read',
    'statistics/read',
    'configurations/read',
  ])('may always use %s', (action) => {
    expect(may(action)).toBe(true);
  });

  test.each<DataAction>([
    'devices/delete',
    'configurations/write',
    'configurations/delete',
    'cloudToDeviceMessages/send/action',
    'jobs/write',
  ])('may never use %s', (action) => {
    needs = { appliesManifests: true, setsScopes: true, callsMethods: true };
    expect(may(action)).toBe(false);
    needs = { appliesManifests: false, setsScopes: false, callsMethods: false };
  });

  test.each<[DataAction, keyof AppNeeds]>([
    ['configurations/applyToEdgeDevice/action', 'appliesManifests'],
    ['devices/write', 'setsScopes'],
    ['directMethods/invoke/action', 'callsMethods'],
  ])('may use %s only with %s', (action, need) => {
    expect(may(action)).toBe(false);
    needs = { ...needs, [need]: true };
    expect(may(action)).toBe(true);
    needs = { appliesManifests: false, setsScopes: false, callsMethods: false };
  });
});
