import { expect, test } from '@jest/globals';
import { describeBicep, type Parameters, type Resource, snapshotOf, snapshotOfFile } from './bicep.ts';
import { hub } from './fleets.ts';
import { at, lastPart } from './resource.ts';

const HUBS = [hub('contoso-weu'), hub('contoso-neu', { region: 'northeurope' })];
const EVERYWHERE: Parameters = { hubs: HUBS, allocatorLocations: ['northeurope'] };
const GROUP =
  '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/pager';

const of = async (parameters: Parameters, type: string): Promise<readonly Resource[]> =>
  (await snapshotOf(parameters)).predictedResources.filter((resource) => resource.type === type);

/** The categories of logs that go to the workspace, by the last part of the watched resource's type. */
const logsOf = (settings: readonly Resource[]) =>
  settings.map(({ id, properties }) => [
    /(IotHubs|provisioningServices|profiles|namespaces)/.exec(id)?.[1],
    ((at(properties, 'logs') ?? []) as readonly { readonly category: string }[]).map(
      ({ category }) => category,
    ),
  ]);

describeBicep('from outside', () => {
  test('each stamp and Front Door are asked for their health without a key, from five places', async () => {
    const tests = await of(EVERYWHERE, 'Microsoft.Insights/webtests');
    const urls = tests.map(({ properties }) => String(at(properties, 'Request', 'RequestUrl')));

    expect(tests).toHaveLength(2);
    for (const url of urls) expect(url).toContain('/api/health');
    expect(JSON.stringify(tests)).not.toMatch(/code=|x-functions-key|Headers/i);
    for (const { name, tags, properties } of tests) {
      expect(at(properties, 'Locations')).toHaveLength(5);
      expect(at(properties, 'ValidationRules')).toMatchObject({
        ExpectedHttpStatusCode: 200,
        SSLCheck: true,
      });
      const [alert] = (await of(EVERYWHERE, 'Microsoft.Insights/metricAlerts')).filter(
        (each) => each.name === name,
      );
      // The test must carry the tag of the component, and the alert must have both in its scope (Microsoft).
      expect(Object.keys(tags ?? {}).filter((key) => key.startsWith('hidden-link:'))).toHaveLength(1);
      expect(at(alert?.properties, 'scopes')).toHaveLength(2);
      expect(at(alert?.properties, 'criteria')).toMatchObject({
        'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria',
        failedLocationCount: 3,
      });
    }
  });

  test('no health is asked where availabilityTests is false', async () => {
    expect(await of({ hubs: HUBS, availabilityTests: false }, 'Microsoft.Insights/webtests')).toEqual([]);
  });

  test('hubs, DPS and Front Door send logs to the workspace, and none of these can hold the function key', async () => {
    const settings = await of(EVERYWHERE, 'Microsoft.Insights/diagnosticSettings');

    expect(logsOf(settings).sort()).toEqual([
      ['IotHubs', ['Routes', 'Configurations', 'DeviceIdentityOperations']],
      ['IotHubs', ['Routes', 'Configurations', 'DeviceIdentityOperations']],
      ['namespaces', []],
      // The access log of Front Door has whole URLs, and DPS sends the key in the URL.
      ['profiles', ['FrontDoorHealthProbeLog']],
      ['provisioningServices', ['DeviceOperations', 'ServiceOperations']],
    ]);
    for (const { properties } of settings)
      expect(at(properties, 'metrics')).toEqual([{ category: 'AllMetrics', enabled: true }]);
  });

  test('a failed delivery of a hub to the endpoint of Berth fires, for each hub', async () => {
    const alerts = (await of({ hubs: HUBS }, 'Microsoft.Insights/metricAlerts')).filter(({ name }) =>
      name.startsWith('berth-routing-'),
    );

    expect(
      alerts.map(({ properties }) => lastPart(String((at(properties, 'scopes') as string[])[0]))),
    ).toEqual(['contoso-weu', 'contoso-neu']);
    for (const { properties } of alerts) {
      const [criterion] = at(properties, 'criteria', 'allOf') as readonly unknown[];
      expect(criterion).toMatchObject({
        metricName: 'RoutingDeliveries',
        operator: 'GreaterThan',
        threshold: 0,
        dimensions: [
          { name: 'EndpointName', values: ['berth-twin-events'] },
          { name: 'Result', values: ['failure'] },
        ],
      });
    }
  });

  test('throttling by Event Hubs fires on the metrics that cannot be exported', async () => {
    const metrics = (await of({ hubs: HUBS }, 'Microsoft.Insights/metricAlerts'))
      .flatMap(({ properties }) => (at(properties, 'criteria', 'allOf') ?? []) as readonly unknown[])
      .map((criterion) => at(criterion, 'metricName'));

    expect(metrics).toEqual(expect.arrayContaining(['ThrottledRequests', 'QuotaExceededErrors']));
  });

  test('no rule on DPS depends on a value of Status', async () => {
    const { predictedResources } = await snapshotOf(EVERYWHERE);
    const rules = predictedResources.filter(({ type }) => /Rules$|metricAlerts$/.test(type));

    expect(rules.length).toBeGreaterThan(20);
    expect(rules.filter((rule) => /"name":"Status"|\bStatus ==/.test(JSON.stringify(rule)))).toEqual([]);
  });

  test('a rule that Azure switches off is reported by a rule that reads no table', async () => {
    const [rule] = await of({ hubs: HUBS, actionGroupIds: [GROUP] }, 'Microsoft.Insights/activityLogAlerts');

    expect(at(rule?.properties, 'condition', 'allOf')).toContainEqual({
      field: 'operationName',
      equals: 'Microsoft.Insights/ScheduledQueryRules/disable/action',
    });
    expect(at(rule?.properties, 'actions')).toEqual({ actionGroups: [{ actionGroupId: GROUP }] });
  });

  test('every alert calls the address and the action groups that are given', async () => {
    const { predictedResources } = await snapshotOf({
      ...EVERYWHERE,
      alertEmail: 'iot@contoso.com',
      actionGroupIds: [GROUP],
    });
    const alerts = predictedResources.filter(({ type }) => /Rules$|[aA]lerts$/.test(type));

    expect(alerts.filter(({ properties }) => !JSON.stringify(properties).includes(GROUP))).toEqual([]);
    expect(
      alerts.filter(({ properties }) => !JSON.stringify(properties).includes('actionGroups/ag-berth-main-')),
    ).toEqual([]);
  });

  test('the outputs warn where no alert reaches a person', async () => {
    expect((await snapshotOf({ hubs: HUBS })).outputs.WARNINGS).toEqual([
      expect.stringContaining('No alert reaches a person'),
    ]);
    expect((await snapshotOf({ hubs: HUBS, actionGroupIds: [GROUP] })).outputs.WARNINGS).toEqual([]);
  });
});

describeBicep('locks', () => {
  const locks = (resources: readonly Resource[]) =>
    resources
      .filter(({ type }) => type === 'Microsoft.Authorization/locks')
      .map(({ id, properties }) => [
        /(IotHubs|provisioningServices|storageAccounts)/.exec(id)?.[1],
        at(properties, 'level'),
      ]);

  test('are made by the production parameters only, on hubs, DPS and the state accounts', async () => {
    const { predictedResources } = await snapshotOfFile('infra/production.bicepparam');

    expect(locks(predictedResources).sort()).toEqual([
      ...Array.from({ length: 3 }, () => ['IotHubs', 'CanNotDelete']),
      ['provisioningServices', 'CanNotDelete'],
      ...Array.from({ length: 2 }, () => ['storageAccounts', 'CanNotDelete']),
    ]);
    for (const path of ['infra/main.bicepparam', 'infra/small.bicepparam'])
      expect(locks((await snapshotOfFile(path)).predictedResources)).toEqual([]);
  });

  test('are never made on what exists already', async () => {
    const azure = { subscription: '91d12660-3dec-467a-be2a-213b5544ddc0', resourceGroup: 'plant' };
    const { predictedResources } = await snapshotOf({
      deleteLocks: true,
      hubs: [hub('contoso-plant', { azure })],
      existingDps: { ...azure, name: 'plant-dps' },
    });

    expect(locks(predictedResources)).toEqual([['storageAccounts', 'CanNotDelete']]);
  });
});

describeBicep('the storage accounts', () => {
  const redundancy = async (parameters: Parameters) =>
    (await of(parameters, 'Microsoft.Storage/storageAccounts')).map(
      ({ sku }) => (sku as { readonly name: string }).name,
    );

  test.each([
    ['westeurope', 'Standard_ZRS'],
    ['ukwest', 'Standard_LRS'],
  ])('in %s have the redundancy %s by default', async (location, name) => {
    expect([...new Set(await redundancy({ location, hubs: HUBS }))]).toEqual([name]);
  });

  test('have the given redundancy everywhere', async () => {
    const storageRedundancy = 'Standard_GZRS';

    const everywhere = await redundancy({ location: 'westeurope', storageRedundancy, hubs: HUBS });
    expect([...new Set(everywhere)]).toEqual([storageRedundancy]);
  });
});
