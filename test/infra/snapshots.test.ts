import { beforeAll, expect, test } from '@jest/globals';
import { readConnections } from '../../src/connect/connections.ts';
import { describeBicep, type Json, type Snapshot, snapshotOf, snapshotOfFile } from './bicep.ts';
import { EDGE_FLEETS } from './fleets.ts';
import { at, isExpression, lastPart, settingsOf, valuesAt } from './resource.ts';

/** What each parameter file and each fleet at an edge would create. */
const DEPLOYMENTS: Readonly<Record<string, () => Promise<Snapshot>>> = {
  'infra/main.bicepparam': () => snapshotOfFile('infra/main.bicepparam'),
  'infra/small.bicepparam': () => snapshotOfFile('infra/small.bicepparam'),
  'infra/production.bicepparam': () => snapshotOfFile('infra/production.bicepparam'),
  ...Object.fromEntries(
    Object.entries(EDGE_FLEETS).map(([name, parameters]) => [name, () => snapshotOf(parameters)]),
  ),
};

/** Names that Azure takes ("Naming rules and restrictions for Azure resources"), of the last part of the name. */
const NAMES: Readonly<Record<string, RegExp>> = {
  'Microsoft.Resources/resourceGroups': /^[\w().-]{0,89}[\w()-]$/,
  'Microsoft.ManagedIdentity/userAssignedIdentities': /^[A-Za-z0-9][\w-]{2,127}$/,
  'Microsoft.OperationalInsights/workspaces': /^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$/,
  'Microsoft.Insights/components': /^[^%&\\?/]{1,259}[^%&\\?/. ]$/,
  'Microsoft.Insights/actionGroups': /^[^:<>+/&%\\?|]{1,259}[^:<>+/&%\\?| .]$/,
  'Microsoft.Insights/metricAlerts': /^[^*#&+:<>?@%{}\\/|]{1,259}[^*#&+:<>?@%{}\\/| .]$/,
  'Microsoft.Insights/scheduledQueryRules': /^[^*<>%{}&:\\?/#|]{1,259}[^*<>%{}&:\\?/#| .]$/,
  'Microsoft.Insights/activityLogAlerts': /^[^*#&+:<>?@%{}\\/|]{1,259}[^*#&+:<>?@%{}\\/| .]$/,
  'Microsoft.Insights/webtests': /^[^<>%&\\?/]{1,259}[^<>%&\\?/. ]$/,
  'Microsoft.Authorization/locks': /^[^<>%&:\\?/]{1,260}$/,
  'Microsoft.Insights/workbooks': /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'Microsoft.Insights/diagnosticSettings': /^[\w-]{1,260}$/,
  'Microsoft.Storage/storageAccounts': /^[a-z0-9]{3,24}$/,
  'Microsoft.Storage/storageAccounts/blobServices': /^default$/,
  'Microsoft.Storage/storageAccounts/managementPolicies': /^default$/,
  'Microsoft.Storage/storageAccounts/blobServices/containers': /^[a-z0-9][a-z0-9-]{2,62}$/,
  'Microsoft.EventHub/namespaces': /^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$/,
  'Microsoft.EventHub/namespaces/networkRuleSets': /^default$/,
  'Microsoft.EventHub/namespaces/eventhubs': /^[A-Za-z0-9][\w.-]{0,254}[A-Za-z0-9]$/,
  'Microsoft.EventHub/namespaces/eventhubs/consumergroups': /^[A-Za-z0-9][\w.-]{0,48}[A-Za-z0-9]$/,
  'Microsoft.Web/serverfarms': /^[A-Za-z0-9-]{1,60}$/,
  'Microsoft.Web/sites': /^[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]$/,
  'Microsoft.Web/sites/basicPublishingCredentialsPolicies': /^(ftp|scm)$/,
  'Microsoft.Devices/IotHubs': /^[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9]$/,
  'Microsoft.Devices/provisioningServices': /^[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]$/,
  'Microsoft.Cdn/profiles': /^[A-Za-z0-9][A-Za-z0-9-]{0,258}[A-Za-z0-9]$/,
  'Microsoft.Cdn/profiles/afdEndpoints': /^[A-Za-z0-9][A-Za-z0-9-]{0,44}[A-Za-z0-9]$/,
  'Microsoft.Cdn/profiles/afdEndpoints/routes': /^[A-Za-z0-9][A-Za-z0-9-]{0,88}[A-Za-z0-9]$/,
  'Microsoft.Cdn/profiles/originGroups': /^[A-Za-z0-9][A-Za-z0-9-]{0,88}[A-Za-z0-9]$/,
  'Microsoft.Cdn/profiles/originGroups/origins': /^[A-Za-z0-9][A-Za-z0-9-]{0,88}[A-Za-z0-9]$/,
  'Microsoft.Network/virtualNetworks': /^[A-Za-z0-9][\w.-]{0,62}\w$/,
  'Microsoft.Network/virtualNetworks/virtualNetworkPeerings': /^[A-Za-z0-9][\w.-]{0,78}\w$/,
  'Microsoft.Network/privateEndpoints': /^[A-Za-z0-9][\w.-]{0,62}\w$/,
  'Microsoft.Network/privateEndpoints/privateDnsZoneGroups': /^default$/,
  'Microsoft.Network/privateDnsZones/virtualNetworkLinks': /^[A-Za-z0-9][\w.-]{0,78}\w$/,
};

/** Names that are known only in Azure: an assignment follows its principal, and zones follow the cloud. */
const NAMED_LATER = ['Microsoft.Authorization/roleAssignments', 'Microsoft.Network/privateDnsZones'];

describeBicep.each(Object.entries(DEPLOYMENTS))('what would be created of %s', (_, evaluate) => {
  let snapshot: Snapshot;
  beforeAll(async () => {
    snapshot = await evaluate();
  });
  const all = (type: string) => snapshot.predictedResources.filter((resource) => resource.type === type);

  test('has names that Azure takes', () => {
    const wrong = snapshot.predictedResources
      .filter(({ type }) => !NAMED_LATER.includes(type))
      .filter(({ type, name }) => !NAMES[type]?.test(lastPart(name)) && !isExpression(name));

    expect(wrong.map(({ type, name }) => `${type} ${name}`)).toEqual([]);
  });

  test('has nothing twice', () => {
    const ids = snapshot.predictedResources.map(({ id }) => id.toLowerCase());

    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  test('has tags that Azure takes', () => {
    for (const { id, tags = {} } of snapshot.predictedResources) {
      expect([id, Object.keys(tags).length <= 50]).toEqual([id, true]);
      const wrong = Object.entries(tags).filter(
        ([key, value]) =>
          // Application Insights finds its availability tests by a tag that has its id in its name.
          (!/^[^<>%&\\?/]{1,512}$/.test(key) && !key.startsWith('hidden-link:/subscriptions/')) ||
          value.length > 256,
      );
      expect(wrong).toEqual([]);
    }
  });

  test('takes no keys wherever Azure allows it', () => {
    expect(valuesAt(all('Microsoft.Storage/storageAccounts'), 'allowSharedKeyAccess')).toEqual([false]);
    expect(valuesAt(all('Microsoft.Storage/storageAccounts'), 'allowBlobPublicAccess')).toEqual([false]);
    expect(valuesAt(all('Microsoft.EventHub/namespaces'), 'disableLocalAuth')).toEqual([true]);
    expect(valuesAt(all('Microsoft.OperationalInsights/workspaces'), 'features', 'disableLocalAuth')).toEqual(
      [true],
    );
    expect(valuesAt(all('Microsoft.Insights/components'), 'DisableLocalAuth')).toEqual([true]);
    expect(valuesAt(all('Microsoft.Web/sites/basicPublishingCredentialsPolicies'), 'allow')).toEqual([false]);
    expect(all('Microsoft.Web/sites/basicPublishingCredentialsPolicies')).toHaveLength(
      2 * all('Microsoft.Web/sites').length,
    );
  });

  test('accepts TLS 1.2 or newer only', () => {
    expect(valuesAt(all('Microsoft.Storage/storageAccounts'), 'minimumTlsVersion')).toEqual(['TLS1_2']);
    expect(valuesAt(all('Microsoft.Storage/storageAccounts'), 'supportsHttpsTrafficOnly')).toEqual([true]);
    expect(valuesAt(all('Microsoft.EventHub/namespaces'), 'minimumTlsVersion')).toEqual(['1.2']);
    expect(valuesAt(all('Microsoft.Web/sites'), 'httpsOnly')).toEqual([true]);
    expect(valuesAt(all('Microsoft.Web/sites'), 'siteConfig', 'minTlsVersion')).toEqual(['1.2']);
  });

  test('sets the TLS version of a hub only in the regions that take it', () => {
    for (const iotHub of all('Microsoft.Devices/IotHubs')) {
      const isTaken = ['eastus', 'southcentralus', 'westus2'].includes(iotHub.location ?? '');
      expect([iotHub.name, at(iotHub.properties, 'minTlsVersion')]).toEqual([
        iotHub.name,
        isTaken ? '1.2' : undefined,
      ]);
    }
  });

  test('creates DPS without links and hubs without routes, which keep telemetry at the built-in endpoint', () => {
    expect(valuesAt(all('Microsoft.Devices/provisioningServices'), 'iotHubs')).toEqual([undefined]);
    for (const { properties } of all('Microsoft.Devices/IotHubs')) {
      expect(at(properties, 'routing')).toEqual({
        fallbackRoute: {
          name: '$fallback',
          source: 'DeviceMessages',
          condition: 'true',
          endpointNames: ['events'],
          isEnabled: true,
        },
      });
    }
  });

  test('tells berth connect of an Event Hub, an identity and a DPS that are created', () => {
    const connections = readConnections(JSON.stringify(snapshot.outputs.BERTH_CONNECTIONS));
    const ids = snapshot.predictedResources.map(({ id }) => id);

    expect(ids).toContain(connections.dps.id);
    if (connections.dps.linkIdentityId !== '') expect(ids).toContain(connections.dps.linkIdentityId);
    for (const stamp of connections.stamps) {
      expect(ids).toContain(stamp.eventHubId);
      expect(ids).toContain(stamp.routingIdentityId);
    }
    expect(connections.stamps.map(({ eventHubId }) => eventHubId)).toHaveLength(
      all('Microsoft.EventHub/namespaces').length,
    );
  });

  test('keeps the webhook public, because DPS cannot call a private endpoint', () => {
    expect(valuesAt(all('Microsoft.Web/sites'), 'publicNetworkAccess')).toEqual(['Enabled']);
  });

  test('gives azd exactly one app of the service api', () => {
    const services = all('Microsoft.Web/sites').map(({ tags }) => tags?.['azd-service-name']);

    expect(services.filter((service) => service === 'api')).toHaveLength(1);
    expect(new Set(services).size).toBe(services.length);
  });

  test('reconciles each hub by one app', () => {
    const stamps = all('Microsoft.Web/sites').map((site) => settingsOf(site).BERTH_STAMP ?? '');

    // '' reconciles all hubs, so such an app is alone; an allocator has none.
    expect(stamps.filter((stamp) => stamp !== 'allocator').length).toBe(
      new Set(stamps.filter((stamp) => stamp !== 'allocator')).size,
    );
    if (stamps.includes('')) expect(stamps.filter((stamp) => stamp !== 'allocator')).toEqual(['']);
  });

  test('asks each app behind Front Door every 240 seconds, in order of priorities from 1 to 5', () => {
    const priorities = all('Microsoft.Cdn/profiles/originGroups/origins').map(({ properties }) =>
      at(properties, 'priority'),
    );

    expect(priorities).toEqual(priorities.map((_, index) => index + 1));
    expect(priorities.length).toBeLessThanOrEqual(5);
    for (const { properties } of all('Microsoft.Cdn/profiles/originGroups'))
      expect(at(properties, 'healthProbeSettings', 'probeIntervalInSeconds')).toBe(240);
  });

  test('hides storage behind a firewall, and Event Hubs behind one with a rule, or neither', () => {
    const isPrivate = all('Microsoft.Network/virtualNetworks').length > 0;

    expect(valuesAt(all('Microsoft.Storage/storageAccounts'), 'publicNetworkAccess')).toEqual([
      isPrivate ? 'Disabled' : 'Enabled',
    ]);
    for (const { properties } of all('Microsoft.EventHub/namespaces/networkRuleSets')) {
      expect(properties).toMatchObject({
        publicNetworkAccess: 'Enabled',
        defaultAction: isPrivate ? 'Deny' : 'Allow',
        trustedServiceAccessEnabled: true,
      });
      // With `Deny` and no rule a namespace is open to every network.
      expect((at(properties, 'virtualNetworkRules') as readonly Json[]).length).toBe(isPrivate ? 1 : 0);
    }
  });
});
