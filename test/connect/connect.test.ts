import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { JsonObject } from '../../src/json/json.ts';
import { isObject, ownMember } from '../../src/json/json.ts';
import { answered } from '../support/arm/answers.ts';
import { type FakeArm, startFakeArm } from '../support/arm/fake-arm.ts';
import {
  connect,
  connectionsWith,
  EXISTING,
  EXISTING_DPS,
  EXISTING_HUB,
  MANAGED,
  MANAGED_DPS,
  MANAGED_HUB,
  ROUTING_IDENTITY,
} from './scene.ts';

let arm: FakeArm;
beforeEach(async () => {
  arm = await startFakeArm('hub-managed', 'hub-existing', 'dps-managed', 'dps-existing');
});
afterEach(() => arm.close());

const KEY = 'bWFkZS11cC1rZXktb2YtaW90aHVib3duZXItMDAwMDE=';
const PRIVATE = { BERTH_CONNECTIONS: connectionsWith({ networkAccess: 'private' }) };
const IN_EXISTING_DPS = {
  BERTH_CONNECTIONS: connectionsWith({
    dps: { id: EXISTING_DPS, linkAuthentication: 'keys', linkIdentityId: '' },
  }),
};
const BY_IDENTITY = (id: string) => ({
  BERTH_CONNECTIONS: connectionsWith({
    dps: { id, linkAuthentication: 'identity', linkIdentityId: ROUTING_IDENTITY },
  }),
});

/** A resource as it is after a run, without its ETag. */
function after(id: string): JsonObject {
  const { etag: _, ...rest } = arm.resource(id) ?? {};
  return rest;
}

/** Compares a resource with a golden file of `test/connect/golden`. */
function expectGolden(name: string, id: string): void {
  expect(after(id)).toEqual(JSON.parse(readFileSync(`test/connect/golden/${name}.json`, 'utf8')));
}

/** A resource of the fake with other properties. */
function change(id: string, properties: JsonObject, more: JsonObject = {}): void {
  const found = arm.resource(id) ?? {};
  const present = isObject(found.properties) ? found.properties : {};
  arm.put({ ...found, ...more, properties: { ...present, ...properties } });
}

/** The first read of a resource after it was written fails. */
function failOnceAfterWrite(id: string): void {
  let isWritten = false;
  let failures = 0;
  arm.beforePut = (written) => {
    isWritten ||= written === id;
  };
  arm.isBusy = (read) => {
    if (!isWritten || read !== id || failures > 0) return false;
    failures += 1;
    return true;
  };
}

const writes = () => arm.requests.filter((each) => each.startsWith('PUT'));
const routing = (id: string) => ownMember(arm.resource(id)?.properties, 'routing');

describe('each golden before and after differs by entries of Berth alone', () => {
  test.each([
    ['hub-managed-public', MANAGED, MANAGED_HUB, {}],
    ['hub-managed-private', MANAGED, MANAGED_HUB, PRIVATE],
    ['hub-managed-resized', { ...MANAGED, tier: 'S2', units: 4 }, MANAGED_HUB, {}],
    ['hub-existing-public', EXISTING, EXISTING_HUB, {}],
    ['hub-existing-private', EXISTING, EXISTING_HUB, PRIVATE],
  ])('%s', async (name, hub, id, env) => {
    const { failure } = await connect(arm, [hub], ['apply'], env);

    expect(failure).toBeUndefined();
    expectGolden(name, id);
  });

  test.each([
    ['dps-managed-by-key', [MANAGED], MANAGED_DPS, {}],
    ['dps-existing-by-key', [MANAGED, EXISTING], EXISTING_DPS, IN_EXISTING_DPS],
    ['dps-managed-by-identity', [MANAGED], MANAGED_DPS, BY_IDENTITY(MANAGED_DPS)],
    ['dps-existing-by-identity', [MANAGED, EXISTING], EXISTING_DPS, BY_IDENTITY(EXISTING_DPS)],
  ])('%s', async (name, hubs, id, env) => {
    const { failure } = await connect(arm, hubs, ['apply'], env);

    expect(failure).toBeUndefined();
    expectGolden(name, id);
  });
});

/** A hub without what Berth may add or change. */
function withoutOwn({ identity: _, sku: __, etag: ___, ...hub }: JsonObject): JsonObject {
  const text = JSON.stringify(hub, (key, value: unknown) => {
    if (Array.isArray(value))
      return value.filter((item) => !String(ownMember(item, 'name')).startsWith('berth-'));
    return key === 'tier' ? undefined : value;
  });
  return JSON.parse(text) as JsonObject;
}

test.each([
  'hub-managed-public',
  'hub-managed-private',
  'hub-managed-resized',
  'hub-existing-public',
  'hub-existing-private',
])('the golden file %s keeps everything of the hub but identity and size, which may only grow', (name) => {
  const golden = JSON.parse(readFileSync(`test/connect/golden/${name}.json`, 'utf8')) as JsonObject;
  const before = answered(name.split('-').slice(0, 2).join('-'));

  expect(withoutOwn(golden)).toEqual(withoutOwn(before));
  if (name !== 'hub-managed-resized') expect(golden.sku).toEqual(before.sku);
});

describe('berth connect plan', () => {
  test('shows each change by resource, and writes nothing', async () => {
    const { code, out } = await connect(arm, [MANAGED, EXISTING], ['plan'], PRIVATE);

    expect(code).toBe(0);
    expect(out).toBe(`contoso-weu.azure-devices.net (managed hub)
  + endpoint berth-twin-events: evhns-berth-main-abc.servicebus.windows.net/twin-events
  + route berth-twin-changes (TwinChangeEvents)
  + route berth-device-lifecycle (DeviceLifecycleEvents)
contoso-plant.azure-devices.net (existing hub)
  + the system-assigned identity of the hub
  + the role Azure Event Hubs Data Sender on twin-events for the identity of the hub
  + endpoint berth-twin-events: evhns-berth-main-abc.servicebus.windows.net/twin-events
  + route berth-twin-changes (TwinChangeEvents)
  + route berth-device-lifecycle (DeviceLifecycleEvents)
dps-berth-abc (DPS)
  + link with contoso-weu.azure-devices.net
  + link with contoso-plant.azure-devices.net
10 changes.
`);
    expect(arm.requests.filter((each) => !each.startsWith('GET'))).toEqual([]);
  });

  test('has no changes after apply, and says that keys of links are written again', async () => {
    await connect(arm, [MANAGED, EXISTING], ['apply']);

    const { code, out } = await connect(arm, [MANAGED, EXISTING], ['plan', '--fail-on-changes']);

    expect(code).toBe(0);
    expect(out).toContain('No changes, 2 keys of links to write again.');
  });

  test('ends with 1 for --fail-on-changes if something would change', async () => {
    expect((await connect(arm, [MANAGED], ['plan', '--fail-on-changes'])).code).toBe(1);
  });

  test('says of a new managed hub that the deployment creates it first, and of an existing one that it is missing', async () => {
    const gone = { ...EXISTING, host: 'contoso-gone.azure-devices.net' };
    const { code, out } = await connect(
      arm,
      [{ ...MANAGED, host: 'contoso-new.azure-devices.net' }, gone],
      ['plan'],
    );

    expect(out).toContain('! The hub does not exist yet. The deployment creates it');
    expect(out).toContain('contoso-gone does not exist: correct hubs[].azure');
    expect(code).toBe(1);
  });

  test('says of a new stamp that the deployment must come first, and apply refuses', async () => {
    const hub = { ...MANAGED, stamp: 'us' };

    expect((await connect(arm, [hub], ['plan'])).out).toContain(
      'is of the stamp "us", and the deployment has no stamps',
    );
    expect((await connect(arm, [hub], ['apply'])).failure).toMatchObject({ code: 'BERTH_CONNECT_REFUSED' });
    expect(writes()).toEqual([]);
  });

  test('gives the plan as JSON', async () => {
    const { out } = await connect(arm, [MANAGED], ['plan', '--json']);

    expect(JSON.parse(out).resources[1]).toMatchObject({
      name: 'dps-berth-abc',
      changes: [{ kind: 'link', text: '+ link with contoso-weu.azure-devices.net' }],
    });
  });

  test('says before the first deployment that nothing is deployed, and does not prevent it; drift fails', async () => {
    const other = { AZURE_RESOURCE_GROUP: 'rg-other' };
    const { code, out } = await connect(arm, [MANAGED], ['plan'], other);

    expect(code).toBe(0);
    expect(out).toContain(
      'Nothing is deployed yet. No successful deployment of the subscription has the output',
    );
    expect((await connect(arm, [MANAGED], ['plan', '--fail-on-changes'], other)).failure).toMatchObject({
      code: 'BERTH_CONNECTIONS_UNKNOWN',
    });
  });

  test('names the settings that it needs, and a resource group without a deployment', async () => {
    const unset = await connect(arm, [MANAGED], ['plan'], { AZURE_RESOURCE_GROUP: '' });
    expect(unset.failure).toMatchObject({
      message: expect.stringContaining('AZURE_RESOURCE_GROUP is not set'),
    });
    const wrong = await connect(arm, [MANAGED], ['apply'], { AZURE_RESOURCE_GROUP: 'rg-other' });
    expect(wrong.failure).toMatchObject({
      code: 'BERTH_CONNECTIONS_UNKNOWN',
      message: expect.stringContaining('"rg-other"'),
    });
    const broken = await connect(arm, [MANAGED], ['plan'], { BERTH_CONNECTIONS: '{}' });
    expect(broken.failure).toMatchObject({ code: 'BERTH_SETTING_INVALID' });
  });
});

describe('a hub', () => {
  test('is never resized if it exists already: the plan says what the fleet file should have', async () => {
    const { out } = await connect(arm, [{ ...EXISTING, tier: 'S1', units: 1 }], ['apply']);

    expect(out).toContain(
      '! Azure has S2 with 3 units, and the fleet file has S1 with 1 unit: it is not changed, because the hub exists already. Write tier "S2" and units 3.',
    );
    expect(arm.resource(EXISTING_HUB)?.sku).toMatchObject({ name: 'S2', capacity: 3 });
  });

  test('keeps its telemetry at the built-in endpoint when Berth adds the first route', async () => {
    change(MANAGED_HUB, { routing: { endpoints: {}, routes: [] } });

    const { out } = await connect(arm, [MANAGED], ['apply']);

    expect(out).toContain('~ the fallback route is turned on');
    expect(ownMember(routing(MANAGED_HUB), 'fallbackRoute')).toMatchObject({
      endpointNames: ['events'],
      isEnabled: true,
    });
  });

  test('gets back a route of Berth that was changed or disabled, and an endpoint that goes elsewhere', async () => {
    await connect(arm, [MANAGED], ['apply']);
    const text = JSON.stringify(arm.resource(MANAGED_HUB))
      .replace('"entityPath":"twin-events"', '"entityPath":"other"')
      .replace(
        '"source":"TwinChangeEvents","condition":"true"',
        '"source":"TwinChangeEvents","condition":"false"',
      );
    arm.put(JSON.parse(text));

    const { out } = await connect(arm, [MANAGED], ['apply']);

    expect(out).toContain('~ endpoint berth-twin-events');
    expect(out).toContain('~ route berth-twin-changes');
    expect(out).not.toContain('berth-device-lifecycle');
    expectGolden('hub-managed-public', MANAGED_HUB);
  });

  test('is warned of if a route of others sends the same events to the same Event Hub', async () => {
    await connect(arm, [MANAGED], ['apply']);
    const text = JSON.stringify(routing(MANAGED_HUB));
    const doubled = JSON.parse(text);
    doubled.endpoints.eventHubs.push({ ...doubled.endpoints.eventHubs[0], name: 'mine' });
    doubled.routes.push({ ...doubled.routes[0], name: 'all-changes', endpointNames: ['mine'] });
    change(MANAGED_HUB, { routing: doubled });

    expect((await connect(arm, [MANAGED], ['plan'])).out).toContain(
      '! The route "all-changes" sends TwinChangeEvents to the same Event Hub, so each event arrives twice: remove it.',
    );
  });

  test('is refused where its tier has no room for the endpoint or the routes, before anything is written', async () => {
    const endpoints = { storageContainers: [{ name: 'lake', connectionString: 'AccountKey=****' }] };
    change(MANAGED_HUB, { routing: { endpoints, routes: [] } }, { sku: { name: 'F1', capacity: 1 } });

    const { failure } = await connect(arm, [{ ...MANAGED, tier: 'F1' }], ['apply']);

    expect(failure).toMatchObject({
      code: 'BERTH_CONNECT_REFUSED',
      message: expect.stringContaining('has 1 endpoints, Berth needs 1 more, and F1 takes 1'),
    });
    expect(writes()).toEqual([]);
  });

  test('is refused where an endpoint of another kind has the name of the endpoint of Berth', async () => {
    change(MANAGED_HUB, {
      routing: { endpoints: { serviceBusQueues: [{ name: 'berth-twin-events' }] }, routes: [] },
    });

    expect((await connect(arm, [MANAGED], ['apply'])).failure).toMatchObject({
      message: expect.stringContaining('has an endpoint "berth-twin-events" of the kind serviceBusQueues'),
    });
  });

  test('keeps every identity that it has', async () => {
    const mine =
      '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine';
    change(
      EXISTING_HUB,
      {},
      {
        identity: {
          type: 'SystemAssigned,UserAssigned',
          principalId: 'p',
          userAssignedIdentities: { [mine]: { clientId: 'c', principalId: 'q' } },
        },
      },
    );

    await connect(arm, [EXISTING], ['apply']);

    expect(arm.resource(EXISTING_HUB)?.identity).toMatchObject({
      type: 'SystemAssigned, UserAssigned',
      userAssignedIdentities: { [mine]: {}, [ROUTING_IDENTITY]: {} },
    });
  });

  test('in private mode gets its role first, and the endpoint is tried again until the role works', async () => {
    arm.roleDelay = 3;

    const { failure, err, waited } = await connect(arm, [EXISTING], ['apply'], PRIVATE);

    expect(failure).toBeUndefined();
    expect(waited.filter((ms) => ms === 20_000)).toHaveLength(3);
    expect(err).toContain('not authorized');
    const order = writes().map((each) => (each.includes('roleAssignments') ? 'role' : 'hub'));
    expect(order.slice(0, 2)).toEqual(['hub', 'role']);
    expectGolden('hub-existing-private', EXISTING_HUB);
  });

  test('is left without the endpoint if the role does not work in time, and the message says what to do', async () => {
    arm.roleDelay = 100;

    const { failure } = await connect(arm, [EXISTING], ['apply', '--wait', '2m'], PRIVATE);

    expect(failure).toMatchObject({
      code: 'BERTH_CONNECT_UNFINISHED',
      message: expect.stringMatching(/Berth tried for 2 minutes.*run the same command again/),
    });
  });

  test('is read and planned again if another writer was first', async () => {
    let isFirst = true;
    arm.beforePut = (id) => {
      if (!isFirst || id !== MANAGED_HUB) return;
      isFirst = false;
      change(MANAGED_HUB, { enableFileUploadNotifications: true }, { etag: 'newer' });
    };

    const { failure } = await connect(arm, [MANAGED], ['apply']);

    expect(failure).toBeUndefined();
    expect(ownMember(arm.resource(MANAGED_HUB)?.properties, 'enableFileUploadNotifications')).toBe(true);
    expect(JSON.stringify(routing(MANAGED_HUB))).toContain('berth-twin-changes');
  });

  test('is not written if the newest API has a feature that the version of this package does not have', async () => {
    change(EXISTING_HUB, { streamGateway: { mode: 'On' } });
    arm.shown = (resource, version) => {
      const { streamGateway: _, ...known } = isObject(resource.properties) ? resource.properties : {};
      return version >= '2026-12' ? resource : { ...resource, properties: known };
    };
    arm.provider.resourceTypes = [
      { resourceType: 'IotHubs', apiVersions: ['2026-11-01', '2026-12-01-preview'] },
    ];

    const refused = await connect(arm, [EXISTING], ['apply']);
    expect(refused.failure).toMatchObject({
      code: 'BERTH_CONNECT_FEATURE_UNKNOWN',
      message: expect.stringMatching(/uses properties\.streamGateway, which the API version 2026-11-01/),
    });
    expect(writes()).toEqual([]);

    const accepted = await connect(arm, [EXISTING], ['plan', '--ignore-feature', 'properties.streamGateway']);
    expect(accepted.failure).toBeUndefined();
  });

  test('is not written if only a preview before the version of this package has a feature of it', async () => {
    change(MANAGED_DPS, { deviceRegistryNamespace: { resourceId: '/subscriptions/s/namespaces/n' } });
    arm.shown = (resource, version) => {
      const { deviceRegistryNamespace: _, ...known } = isObject(resource.properties)
        ? resource.properties
        : {};
      return version === '2026-06-01-preview' ? resource : { ...resource, properties: known };
    };

    expect((await connect(arm, [MANAGED], ['apply'])).failure).toMatchObject({
      code: 'BERTH_CONNECT_FEATURE_UNKNOWN',
      message: expect.stringContaining('properties.deviceRegistryNamespace'),
    });
    expect(writes().filter((each) => each.includes('provisioningServices'))).toEqual([]);
  });

  test('is written without what Azure computes, as the clients of Microsoft write it', async () => {
    await connect(arm, [MANAGED], ['apply']);

    const sent = arm.bodies[0] ?? {};
    expect(Object.keys(sent).sort()).toEqual(['etag', 'identity', 'location', 'properties', 'sku', 'tags']);
    expect(sent.sku).toEqual({ name: 'S1', capacity: 1 });
    expect(sent.identity).toEqual({
      type: 'SystemAssigned, UserAssigned',
      userAssignedIdentities: { [ROUTING_IDENTITY]: {} },
    });
    expect(Object.keys(sent.properties ?? {})).not.toContain('hostName');
    expect(ownMember(ownMember(sent.properties, 'eventHubEndpoints'), 'events')).toEqual({
      partitionCount: 2,
      retentionTimeInDays: 1,
    });
  });

  test('ends the run if something else of it is not what it was, and names the place but no value', async () => {
    const put = arm.put;
    arm.put = (resource) => {
      const text = JSON.stringify(resource);
      put(text.includes('berth-twin') ? JSON.parse(text.replace('131.117.159.53', '10.0.0.1')) : resource);
    };

    const { failure } = await connect(arm, [EXISTING], ['apply']);

    expect(failure).toMatchObject({
      code: 'BERTH_CONNECT_CHANGED_ELSEWHERE',
      message: expect.stringContaining('properties.ipFilterRules[rule1].ipMask'),
    });
    expect(String(failure)).not.toContain('10.0.0.1');
  });

  test('ends the run if Azure says that the write failed', async () => {
    const put = arm.put;
    arm.put = (resource) =>
      put({
        ...resource,
        properties: { ...(resource.properties as JsonObject), provisioningState: 'Failed' },
      });

    expect((await connect(arm, [MANAGED], ['apply'])).failure).toMatchObject({
      code: 'BERTH_CONNECT_UNFINISHED',
      message: expect.stringContaining('Failed'),
    });
  });
});

describe('DPS', () => {
  test('keeps links of hubs that the fleet file does not have, and says how to remove them', async () => {
    const { out } = await connect(arm, [EXISTING], ['plan'], IN_EXISTING_DPS);

    expect(out).toContain(
      '! DPS is linked with contoso-old.device.azure-devices.net, which the fleet file does not have: the link stays. Run "berth connect apply --unlink contoso-old.device.azure-devices.net" to remove it.',
    );
  });

  test('loses a link only by its name', async () => {
    const { failure, out } = await connect(
      arm,
      [EXISTING],
      ['apply', '--unlink', 'Contoso-Old.device.azure-devices.net'],
      IN_EXISTING_DPS,
    );

    expect(failure).toBeUndefined();
    expect(out).toContain('- link with contoso-old.device.azure-devices.net');
    expect(JSON.stringify(arm.resource(EXISTING_DPS))).not.toContain('contoso-old');
  });

  test('does not unlink a hub of the fleet file', async () => {
    const name = 'contoso-plant.azure-devices.net';
    const { failure } = await connect(arm, [EXISTING], ['apply', '--unlink', name], IN_EXISTING_DPS);

    expect(failure).toMatchObject({
      code: 'BERTH_CONNECT_REFUSED',
      message: expect.stringContaining('remove the hub from the fleet file first'),
    });
    expect(writes().filter((each) => each.includes('provisioningServices'))).toEqual([]);
  });

  test('prints the hubs that are connected as JSON if DPS is refused afterwards', async () => {
    const args = ['apply', '--unlink', 'contoso-plant.azure-devices.net', '--json'];
    const { failure, out } = await connect(arm, [EXISTING], args, IN_EXISTING_DPS);

    expect(failure).toMatchObject({ code: 'BERTH_CONNECT_REFUSED' });
    expect(JSON.parse(out)).toMatchObject({ resources: [{ name: EXISTING.host, kind: 'existing hub' }] });
  });

  test('refuses --unlink of a hub of the fleet file that has no link yet', async () => {
    change(EXISTING_DPS, { iotHubs: [] });
    const name = 'contoso-plant.azure-devices.net';
    const { failure } = await connect(arm, [EXISTING], ['apply', '--unlink', name], IN_EXISTING_DPS);

    expect(failure).toMatchObject({ code: 'BERTH_CONNECT_REFUSED' });
  });

  test.each(['plan', 'apply'])(
    'notes a name without a link, with the links that there are (%s)',
    async (act) => {
      const name = 'contoso-nix.azure-devices.net';
      const { code, failure, out } = await connect(arm, [EXISTING], [act, '--unlink', name], IN_EXISTING_DPS);

      expect([code, failure]).toEqual([0, undefined]);
      expect(out).toContain(
        `! --unlink is "${name}": there is no such link, or no longer. DPS is linked with contoso-plant.azure-devices.net, contoso-old.device.azure-devices.net.`,
      );
    },
  );

  test('removes a link in a run that is repeated, together with one that is still there', async () => {
    const old = 'contoso-old.device.azure-devices.net';
    await connect(arm, [EXISTING], ['apply', '--unlink', old], IN_EXISTING_DPS);
    const again = await connect(arm, [EXISTING], ['apply', '--unlink', old], IN_EXISTING_DPS);

    expect([again.code, again.failure]).toEqual([0, undefined]);
    expect(again.out).toContain(`! --unlink is "${old}": there is no such link, or no longer.`);
    expect(again.out).toContain('Hubs and DPS are connected.');
  });

  test('goes on if Azure does not answer after it has removed a link, and says that the link is removed', async () => {
    const old = 'contoso-old.device.azure-devices.net';
    failOnceAfterWrite(EXISTING_DPS);

    const { code, failure, out } = await connect(
      arm,
      [EXISTING],
      ['apply', '--unlink', old],
      IN_EXISTING_DPS,
    );

    expect([code, failure]).toEqual([0, undefined]);
    expect(out).toContain(`- link with ${old}`);
    expect(out).not.toContain('--unlink is');
    expect(JSON.stringify(arm.resource(EXISTING_DPS))).not.toContain('contoso-old');
  });

  test('loses one of two names of one hub, as after a change of the name of a link', async () => {
    const { properties } = answered('dps-existing');
    const links = ownMember(properties, 'iotHubs') as readonly JsonObject[];
    const device = { ...links[0], name: 'contoso-plant.device.azure-devices.net' };
    change(EXISTING_DPS, { iotHubs: [...links, device] });

    const { failure } = await connect(
      arm,
      [EXISTING],
      ['apply', '--unlink', 'contoso-plant.azure-devices.net'],
      IN_EXISTING_DPS,
    );

    expect(failure).toBeUndefined();
    const names = (ownMember(arm.resource(EXISTING_DPS)?.properties, 'iotHubs') as readonly JsonObject[]).map(
      ({ name }) => name,
    );
    expect(names).toEqual(['contoso-old.device.azure-devices.net', 'contoso-plant.device.azure-devices.net']);
  });

  test('ends the run if the weight of a link is not what it was, also of a link whose key was written', async () => {
    const put = arm.put;
    arm.put = (resource) => {
      const text = JSON.stringify(resource);
      put(
        String(resource.id) === EXISTING_DPS
          ? JSON.parse(text.replace('"allocationWeight":5', '"allocationWeight":1'))
          : resource,
      );
    };

    expect((await connect(arm, [EXISTING], ['apply'], IN_EXISTING_DPS)).failure).toMatchObject({
      code: 'BERTH_CONNECT_CHANGED_ELSEWHERE',
      message: expect.stringContaining(
        'properties.iotHubs[contoso-plant.azure-devices.net].allocationWeight',
      ),
    });
  });

  test('gets the present key of a hub at each run, and neither the plan nor the result shows a key', async () => {
    const runs = [
      await connect(arm, [MANAGED], ['plan']),
      await connect(arm, [MANAGED], ['apply']),
      await connect(arm, [MANAGED], ['apply', '--json']),
    ];

    for (const { out, err } of runs) expect(out + err).not.toContain(KEY);
    const link = `HostName=contoso-weu.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=${KEY}`;
    const bodies = arm.bodies.filter(({ properties }) => ownMember(properties, 'iotHubs') !== undefined);
    expect(bodies.map((body) => JSON.stringify(body).includes(link))).toEqual([true, true]);
  });

  test('is refused a link by key with a hub whose shared access policies are off', async () => {
    change(MANAGED_HUB, { disableLocalAuth: true });

    expect((await connect(arm, [MANAGED], ['apply'])).failure).toMatchObject({
      code: 'BERTH_CONNECT_REFUSED',
      message: expect.stringContaining('disableLocalAuth'),
    });
  });

  test('is refused more than fifty links', async () => {
    const iotHubs = Array.from({ length: 50 }, (_, index) => ({ name: `other-${index}.azure-devices.net` }));
    change(MANAGED_DPS, { iotHubs });

    expect((await connect(arm, [MANAGED], ['apply'])).failure).toMatchObject({
      message: expect.stringContaining('has 50 links, 1 more are needed, and it takes 50'),
    });
  });
});
