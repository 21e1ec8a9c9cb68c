import { describe, expect, test } from '@jest/globals';
import { otherVersions } from '../../src/connect/api-versions.ts';
import { differingPaths } from '../../src/connect/difference.ts';
import { hasIdentity, withIdentity } from '../../src/connect/identity.ts';
import { unknownFeatures } from '../../src/connect/unknown-features.ts';
import { HUB_TYPE } from '../../src/connect/wanted.ts';
import { writable } from '../../src/connect/writable.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { answered } from '../support/arm/answers.ts';

const NOTHING_OWN = () => false;
const paths = (sent: JsonObject, found: JsonObject) => differingPaths(sent, found, NOTHING_OWN);
const properties = (value: JsonObject): JsonObject => ({ properties: value });

describe('two answers about one resource', () => {
  test.each<[string, JsonObject, JsonObject]>([
    [
      'a new ETag and state',
      { etag: 'a', properties: { state: 'Active' } },
      { etag: 'b', properties: { state: 'Transitioning' } },
    ],
    ['an empty list that is left out', properties({ ipFilterRules: [] }), properties({})],
    [
      'a list in another order',
      properties({ r: [{ name: 'a' }, { name: 'b' }] }),
      properties({ r: [{ name: 'b' }, { name: 'a' }] }),
    ],
    [
      'a key that is masked now',
      properties({ connectionString: 'HostName=a;SharedAccessKey=secret' }),
      properties({ connectionString: 'HostName=a;SharedAccessKey=****' }),
    ],
    [
      'the two forms of several kinds of identities',
      { identity: { type: 'SystemAssigned,UserAssigned' } },
      { identity: { type: 'SystemAssigned, UserAssigned' } },
    ],
    [
      'the case of the id of an identity',
      { identity: { type: 'UserAssigned', userAssignedIdentities: { '/A/B': {} } } },
      { identity: { type: 'UserAssigned', userAssignedIdentities: { '/a/b': { clientId: 'c' } } } },
    ],
    [
      'the tier that follows a size',
      { sku: { name: 'S1', capacity: 1 } },
      { sku: { name: 'S1', capacity: 1, tier: 'Standard' } },
    ],
    [
      'a host name that a newer version of the API adds to an old link',
      properties({ iotHubs: [{ name: 'a.azure-devices.net' }] }),
      properties({
        iotHubs: [
          { name: 'a.azure-devices.net', hostName: 'a.azure-devices.net', authenticationType: 'KeyBased' },
        ],
      }),
    ],
  ])('are equal apart from %s', (_, sent, found) => {
    expect(paths(sent, found)).toEqual([]);
  });

  test.each<[string, JsonObject, JsonObject, string]>([
    [
      'a lost rule',
      properties({ r: [{ filterName: 'a' }, { filterName: 'b' }] }),
      properties({ r: [{ filterName: 'a' }] }),
      'properties.r[b].filterName',
    ],
    ['another value', properties({ a: { b: 1 } }), properties({ a: { b: 2 } }), 'properties.a.b'],
    ['a new member', properties({}), properties({ comments: 'x' }), 'properties.comments'],
    [
      'a lost identity',
      { identity: { type: 'SystemAssigned' } },
      { identity: { type: 'None' } },
      'identity.hasSystem',
    ],
    [
      'another account behind a masked key',
      properties({ c: 'AccountName=a;AccountKey=****' }),
      properties({ c: 'AccountName=b;AccountKey=****' }),
      'properties.c',
    ],
    [
      'other units',
      { sku: { name: 'S1', capacity: 1 } },
      { sku: { name: 'S1', capacity: 2 } },
      'sku.capacity',
    ],
    ['a changed tag', { tags: { owner: 'a' } }, { tags: { owner: 'b' } }, 'tags.owner'],
  ])('differ by %s', (_, sent, found, path) => {
    expect(paths(sent, found)).toEqual([path]);
  });
});

describe('a feature that only another version of the API shows', () => {
  test.each<[string, JsonObject, readonly string[]]>([
    ['a setting', { a: 1, mode: 'On' }, ['properties.mode']],
    [
      'a list of another kind of endpoints',
      { a: 1, endpoints: { kinds: [{ name: 'x' }] } },
      ['properties.endpoints'],
    ],
    ['a default that says that it is off', { a: 1, b: false, c: [], d: null, e: 'None', f: { g: '' } }, []],
    ['what Azure computes', { a: 1, hostName: 'x', iotHubDetails: { gatewayVersion: 'V2' } }, []],
  ])('%s: %j', (_, newest, found) => {
    expect(unknownFeatures(properties({ a: 1 }), properties(newest))).toEqual(found);
  });

  test('a member of an item of a list is found', () => {
    const known = properties({ links: [{ name: 'a' }] });

    expect(unknownFeatures(known, properties({ links: [{ name: 'a', scope: 'x' }] }))).toEqual([
      'properties.links[0].scope',
    ]);
  });
});

describe('the versions of the API to compare with', () => {
  const versions = (...apiVersions: readonly string[]) =>
    otherVersions({ resourceTypes: [{ resourceType: 'iotHubs', apiVersions }] }, HUB_TYPE, '2026-11-01');

  test('are a newer stable version and the newest preview, also an older one', () => {
    expect(
      versions('2023-06-30', '2026-11-01', '2027-02-01', '2026-10-01-preview', '2026-05-01-preview'),
    ).toEqual(['2027-02-01', '2026-10-01-preview']);
  });

  test('are none where the provider lists only the own version, or does not list the type', () => {
    expect(versions('2026-11-01', '2023-06-30')).toEqual([]);
    expect(otherVersions({}, HUB_TYPE, '2026-11-01')).toEqual([]);
  });
});

describe('the identities of a resource', () => {
  const mine = { type: 'UserAssigned', userAssignedIdentities: { '/mine': { clientId: 'c' } } };

  test.each<[JsonObject, JsonObject]>([
    [{}, { type: 'SystemAssigned' }],
    [{ identity: { type: 'None' } }, { type: 'SystemAssigned' }],
    [{ identity: mine }, { type: 'SystemAssigned, UserAssigned', userAssignedIdentities: { '/mine': {} } }],
  ])('of %j keep what they are, and get the system-assigned one', (resource, identity) => {
    expect(withIdentity(resource, { kind: 'system' })).toEqual(identity);
  });

  test('have a user-assigned one whatever the case of its id', () => {
    expect(hasIdentity({ identity: mine }, { kind: 'userAssigned', identityId: '/MINE' })).toBe(true);
    expect(hasIdentity({ identity: mine }, { kind: 'system' })).toBe(false);
  });
});

/** What Azure computes of a hub and of DPS. */
const COMPUTED =
  /^(id|name|type|systemData(\..*)?|properties\.(hostName|deviceHostName|serviceHostName|iotHubDetails\..*|locations\[.*|idScope|deviceProvisioningHostName|serviceOperationsHostName|eventHubEndpoints\.events\.(path|endpoint|partitionIds\[.*)))$/;

test.each(['hub-managed', 'hub-existing', 'dps-managed'])(
  'the form of a write of %s lacks only what Azure computes',
  (name) => {
    const resource = answered(name);

    expect(paths(writable(resource), resource).filter((path) => !COMPUTED.test(path))).toEqual([]);
    expect(paths(writable(resource), resource)).toContain('id');
  },
);

test('the form of a write of DPS has its links without their names, which Azure computes', () => {
  const { properties: sent } = writable(answered('dps-existing'));

  expect(sent).toMatchObject({
    iotHubs: [
      { connectionString: expect.stringContaining('HostName=contoso-plant'), allocationWeight: 5 },
      { hostName: 'contoso-old.device.azure-devices.net', authenticationType: 'SystemAssigned' },
    ],
  });
  expect(JSON.stringify(sent)).not.toContain('"name"');
});
