import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { type BicepFile, loadBicep, type Resource } from './bicep.ts';
import { infraFiles } from './infra-files.ts';

let files: ReadonlyMap<string, BicepFile>;
let resources: readonly Resource[];
beforeAll(async () => {
  files = infraFiles(await loadBicep());
  resources = [...files.values()].flatMap((file) => file.resources.filter(({ isExisting }) => !isExisting));
});
const textOf = (type: string) => {
  const found = resources.filter((resource) => resource.type === type);
  expect(found).not.toEqual([]);
  return found.map(({ text }) => text);
};

/** Built-in roles, as Azure publishes them (azure-docs, role-based-access-control/built-in-roles.md). */
const ROLES: Readonly<Record<string, readonly [name: string, id: string]>> = {
  storageBlobDataOwner: ['Storage Blob Data Owner', 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'],
  storageTableDataContributor: ['Storage Table Data Contributor', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'],
  eventHubsDataReceiver: ['Event Hubs Data Receiver', 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'],
  eventHubsDataSender: ['Event Hubs Data Sender', '2b629674-e913-4c01-ae53-ef4638d8f975'],
  iotHubTwinContributor: ['IoT Hub Twin Contributor', '494bdba2-168f-4f31-a0a1-191d2f7c028c'],
  iotHubDataReader: ['IoT Hub Data Reader', 'b447c946-2db7-41ec-983d-d8bf3b1c77e3'],
  monitoringMetricsPublisher: ['Monitoring Metrics Publisher', '3913510d-42f4-4e42-8a64-420c390055eb'],
};

describe('role assignments in infra/', () => {
  test('the role ids are the ids that Azure publishes', () => {
    const { text } = files.get('infra/roles.bicep') ?? { text: '' };
    const given = [...text.matchAll(/^ {2}(\w+): '([0-9a-f-]{36})'/gm)].map((match) => [match[1], match[2]]);

    expect(Object.fromEntries(given)).toEqual(
      Object.fromEntries(Object.entries(ROLES).map(([key, [, id]]) => [key, id])),
    );
  });

  test('every role of the table is assigned by its name', () => {
    const given = textOf('Microsoft.Authorization/roleAssignments').map((text) => {
      const role =
        /roleDefinitionId: subscriptionResourceId\(\s*'Microsoft.Authorization\/roleDefinitions',\s*roles\.(\w+)\s*\)/.exec(
          text,
        )?.[1];
      // The name is made of scope, who and role: giving the same again changes nothing, giving another adds one.
      expect(text).toMatch(new RegExp(`name: guid\\(\\w+\\.id, [\\w.]+, roles\\.${role}\\)`));
      return role;
    });

    expect(new Set(given)).toEqual(new Set(Object.keys(ROLES)));
  });

  test('the Bicep and the README explain every role', () => {
    const bicep = files.get('infra/roles.bicep')?.text ?? '';
    const readme = readFileSync('infra/README.md', 'utf8');

    for (const [name] of Object.values(ROLES)) {
      expect(bicep).toMatch(new RegExp(`^//   ${name} `, 'm'));
      expect(readme).toMatch(new RegExp(`^\\| ${name} \\|`, 'm'));
    }
  });
});

describe('the deployed resources', () => {
  test('the deployed resources disable access by key wherever Azure allows it', () => {
    for (const text of textOf('Microsoft.Storage/storageAccounts'))
      expect(text).toContain('allowSharedKeyAccess: false');
    for (const text of textOf('Microsoft.EventHub/namespaces'))
      expect(text).toContain('disableLocalAuth: true');
    for (const text of textOf('Microsoft.OperationalInsights/workspaces'))
      expect(text).toContain('disableLocalAuth: true');
    for (const text of textOf('Microsoft.Insights/components'))
      expect(text).toContain('DisableLocalAuth: true');
    for (const text of textOf('Microsoft.Web/sites/basicPublishingCredentialsPolicies'))
      expect(text).toContain('allow: false');
  });

  test('the deployed resources accept only TLS 1.2 or newer', () => {
    for (const text of textOf('Microsoft.Storage/storageAccounts'))
      expect(text).toContain("minimumTlsVersion: 'TLS1_2'");
    for (const text of textOf('Microsoft.EventHub/namespaces'))
      expect(text).toContain("minimumTlsVersion: '1.2'");
    for (const text of textOf('Microsoft.Devices/IotHubs')) expect(text).toContain("minTlsVersion: '1.2'");
    for (const text of textOf('Microsoft.Web/sites'))
      expect(text).toMatch(/httpsOnly: true[\s\S]*minTlsVersion: '1\.2'/);
  });

  test('the hubs route all twin and lifecycle events, and keep the default route of telemetry', () => {
    const [hub = ''] = textOf('Microsoft.Devices/IotHubs');
    const routes = [...hub.matchAll(/source: '(\w+)'\s+condition: '(\w+)'/g)].map((match) => [
      match[1],
      match[2],
    ]);

    expect(routes).toEqual([
      ['TwinChangeEvents', 'true'],
      ['DeviceLifecycleEvents', 'true'],
      ['DeviceMessages', 'true'],
    ]);
    expect(hub).toMatch(/fallbackRoute: \{[\s\S]*isEnabled: true/);
  });

  test('the app keeps the webhook public, because DPS cannot call a private endpoint', () => {
    for (const text of textOf('Microsoft.Web/sites'))
      expect(text).toContain("publicNetworkAccess: 'Enabled'");
  });

  test('the modules use the names of event hub and functions that the code has', () => {
    const stamp = files.get('infra/modules/stamp.bicep')?.text ?? '';
    const allocator = files.get('infra/modules/allocator.bicep')?.text ?? '';
    const functions = globSync('src/functions/*.ts')
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');

    expect(functions).toContain(/var eventHubName = '([\w-]+)'/.exec(stamp)?.[1]);
    const [, disabled = ''] = /disabledFunctions: \[([^\]]*)\]/.exec(allocator) ?? [];
    for (const [, name] of disabled.matchAll(/'(\w+)'/g)) {
      expect(functions).toMatch(new RegExp(`app\\.(timer|eventHub)\\('${name}'`));
    }
  });

  test('the modules have an output only where another file reads it', () => {
    const readOf = new Set(
      [...files.values()].flatMap((file) =>
        file.outputsUsed.map(({ symbol, output }) => {
          const path = file.modules
            .find((module) => module.symbol === symbol)
            ?.path.split('/')
            .at(-1);
          return `${path} ${output}`;
        }),
      ),
    );
    const made = [...files].flatMap(([path, { outputs }]) =>
      path.startsWith('infra/modules/') ? outputs.map(({ name }) => `${path.split('/').at(-1)} ${name}`) : [],
    );

    expect(made.filter((output) => !readOf.has(output))).toEqual([]);
  });
});

describe('infra/README.md', () => {
  const readme = readFileSync('infra/README.md', 'utf8');
  const rows = (heading: string) => {
    const [, section = ''] = new RegExp(`^## ${heading}\n([\\s\\S]*?)^## `, 'm').exec(readme) ?? [];
    const cells = [...section.matchAll(/^\| ([^|]*) \|/gm)].map((match) => match[1] ?? '');
    return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map((match) => match[1]));
  };

  test('names exactly the parameters and outputs of the template', () => {
    const main = files.get('infra/main.bicep');

    expect(rows('Parameters').sort()).toEqual(main?.params.map(({ name }) => name).sort());
    expect(rows('Outputs').sort()).toEqual(main?.outputs.map(({ name }) => name).sort());
  });

  test('names exactly the alerts of the template', () => {
    const alerts = files.get('infra/modules/alerts.bicep')?.text ?? '';
    const keys = [...alerts.matchAll(/ key: '([\w-]+)'/g)].map((match) => match[1]);
    const [, section = ''] = /^## Alerts\n([\s\S]*?)^## /m.exec(readme) ?? [];
    const named = [...section.matchAll(/^\| ([a-z-]+) \|/gm)].map((match) => match[1]);

    expect(named.sort()).toEqual(keys.sort());
  });

  test('names every module', () => {
    for (const path of files.keys()) {
      const name =
        path
          .split('/')
          .at(-1)
          ?.replace(/\.bicep$/, '') ?? '';
      expect(readme).toContain(name);
    }
  });
});

describe('azure.yaml', () => {
  const text = readFileSync('azure.yaml', 'utf8');

  test('deploys the output of npm run package to the app that has the tag', () => {
    expect(text).toMatch(
      /^ {2}api:\n(?: +#.*\n)*? {4}project: \.\/package\n {4}language: js\n {4}host: function$/m,
    );
    expect(files.get('infra/main.bicep')?.text).toContain("serviceName: index == 0 ? 'api'");
    expect(text.match(/npm run package/g)?.length).toBeGreaterThanOrEqual(4);
  });

  test('deploys the infrastructure of the folder infra', () => {
    expect(text).toMatch(/^infra:\n {2}provider: bicep\n {2}path: infra\n {2}module: main$/m);
  });
});
