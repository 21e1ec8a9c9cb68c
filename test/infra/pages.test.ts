import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { parse } from 'yaml';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { projectFiles } from '../support/project-files.ts';
import {
  describeBicep,
  filesOf,
  type Json,
  snapshotOf,
  snapshotOfFile,
  type Template,
  templateOf,
} from './bicep.ts';
import { hub } from './fleets.ts';

const readme = readFileSync('infra/README.md', 'utf8');

/** The names in backticks in the first column of the table of a section. */
function rows(heading: string): readonly string[] {
  const [, section = ''] = new RegExp(`^## ${heading}\n([\\s\\S]*?)^## `, 'm').exec(readme) ?? [];
  const cells = [...section.matchAll(/^\| ([^|]*) \|/gm)].map((match) => match[1] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '')).sort();
}

describeBicep('infra/README.md', () => {
  test('names exactly the parameters and outputs of the template', async () => {
    const { parameters = {}, outputs = {} } = await templateOf('infra/main.bicep');

    expect(rows('Parameters')).toEqual(Object.keys(parameters).sort());
    expect(rows('Outputs')).toEqual(Object.keys(outputs).sort());
  });

  test('names exactly the alerts of the template', async () => {
    const { predictedResources } = await snapshotOf({
      hubs: [hub('contoso-weu')],
      allocatorLocations: ['northeurope'],
    });
    const titles = predictedResources
      .filter(({ type }) => /Rules$|[aA]lerts$/.test(type))
      .map(({ name }) => name.replace(/^berth-/, '').replace(/-(main-)?[a-z0-9]{13}$/, ''))
      .map((name) => name.replace(/^(quota|routing)-contoso.*/, '$1-HUB'));
    const [, section = ''] = /^## Alerts\n([\s\S]*?)^## /m.exec(readme) ?? [];

    expect(
      [...section.matchAll(/^\| ([a-zA-Z-]+) \|/gm)]
        .map((match) => match[1])
        .filter((name) => name !== 'Alert')
        .sort(),
    ).toEqual([...new Set(titles)].sort());
  });
});

describe('infra/README.md on modules', () => {
  test.each(globSync('infra/**/*.{bicep,bicepparam}'))('names the file %s', (path) => {
    expect(readme).toContain(
      path
        .split('/')
        .at(-1)
        ?.replace(/\.bicep$/, ''),
    );
  });
});

describeBicep('the template', () => {
  test('offers the regions of Flex Consumption, by the list of the checks, where azd asks for a region', async () => {
    const { parameters = {} } = await templateOf('infra/main.bicep');
    const { variables } = (await templateOf('infra/checks.bicep')) as Template & {
      readonly variables: Readonly<Record<string, Json>>;
    };

    expect(parameters.location?.metadata?.azd).toEqual({ type: 'location' });
    expect(parameters.location?.allowedValues).toEqual(variables.flexRegions);
  });

  test('takes the tiers of the fleet file, and requires only hub fields that the fleet file requires', async () => {
    const { definitions } = (await templateOf('infra/types.bicep')) as Template & {
      readonly definitions: Readonly<
        Record<
          string,
          {
            readonly properties: Readonly<
              Record<string, { readonly nullable?: boolean; readonly allowedValues?: Json }>
            >;
          }
        >
      >;
    };
    const fields = definitions.fleetHub?.properties ?? {};
    const { properties, required } = JSON.parse(readFileSync('schemas/fleet.schema.json', 'utf8')).properties
      .hubs.items;

    expect(Object.keys(fields).filter((name) => !(name in properties))).toEqual([]);
    expect(
      Object.entries(fields).flatMap(([name, { nullable }]) =>
        nullable || required.includes(name) ? [] : [name],
      ),
    ).toEqual([]);
    expect(fields.tier?.allowedValues).toEqual(properties.tier.enum);
  });
});

describeBicep('the parameter files', () => {
  test.each(globSync('infra/*.bicepparam'))(
    '%s takes all hubs of a fleet file that Berth accepts',
    async (path) => {
      const [fleetFile = ''] = (await filesOf(path)).filter((file) => /(^|\/)fleet[\w.]*\.json$/.test(file));
      const text = readFileSync(fleetFile, 'utf8');
      const { predictedResources } = await snapshotOfFile(path);
      const made = predictedResources.filter(({ type }) => type === 'Microsoft.Devices/IotHubs');

      expect(parseFleet(text)).toMatchObject({ ok: true, warnings: [] });
      const { hubs } = JSON.parse(text) as {
        readonly hubs: readonly { readonly host: string; readonly region: string }[];
      };
      expect(made.map(({ name, location }) => [`${name}.azure-devices.net`, location]).sort()).toEqual(
        hubs.map(({ host, region }) => [host, region]).sort(),
      );
    },
  );
});

describe('azure.yaml', () => {
  const file = parse(readFileSync('azure.yaml', 'utf8'));

  test('deploys the output of npm run package, without a build in Azure', () => {
    expect(file.services.api).toEqual({
      project: './package',
      language: 'js',
      host: 'function',
      remoteBuild: false,
    });
    expect(readFileSync('azure.yaml', 'utf8').match(/npm run package/g)?.length).toBeGreaterThanOrEqual(4);
  });

  test('deploys the infrastructure of the folder infra', () => {
    expect(file.infra).toEqual({ provider: 'bicep', path: 'infra', module: 'main' });
  });

  test('looks what others added to the apps before it deploys the infrastructure', () => {
    const { posix, windows } = file.hooks.preprovision;

    const command =
      'node scripts/deploy/kept-settings.mjs --parameters infra/main.bicepparam --must-know --subscription=';
    expect(posix.run).toBe(`${command}"$AZURE_SUBSCRIPTION_ID"`);
    expect(windows.run).toBe(`${command}"$env:AZURE_SUBSCRIPTION_ID"`);
  });

  test('runs the same hook in a project of berth init, from the installed package', () => {
    const { posix, windows } = parse(projectFiles()['azure.yaml'] ?? '').hooks.preprovision;
    const command =
      'node node_modules/@your-org/berth/scripts/deploy/kept-settings.mjs --parameters infra/main.bicepparam --must-know --subscription=';

    expect(posix.run).toBe(`npm ci && ${command}"$AZURE_SUBSCRIPTION_ID"`);
    expect(windows.run).toBe(`npm ci; if ($?) { ${command}"$env:AZURE_SUBSCRIPTION_ID" }`);
  });

  test.each([
    ['here', readFileSync('azure.yaml', 'utf8')],
    ['in a project of berth init', projectFiles()['azure.yaml'] ?? ''],
  ])('has only commands %s that Windows PowerShell 5.1 can read too', (_, text) => {
    const hooks = Object.values<{ windows: { run: string } }>(parse(text).hooks);

    expect(hooks.length).toBeGreaterThanOrEqual(4);
    expect(hooks.filter(({ windows }) => windows.run.includes('&&'))).toEqual([]);
  });
});
