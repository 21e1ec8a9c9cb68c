import { describe, expect, test } from '@jest/globals';
import { deadComparisons } from '../../src/fleet/advice/dead-comparisons.ts';
import { zonedDates } from '../../src/fleet/advice/zoned-dates.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';

const HUB = { host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' };

function fleetOf(parts: object): Fleet {
  const parsed = parseFleet(JSON.stringify({ hubs: [HUB], ...parts }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}
const saidOf = (when: string) =>
  deadComparisons(fleetOf({ allocation: { rules: [{ name: 'r', when, deny: 'no' }] } })).map(
    ({ message }) => message,
  );

const ID = 'but registrationId is always lower case, so this never matches: write';

describe('a comparison that is always false', () => {
  test.each([
    ["registrationId.startsWith('SN-')", `compares with "SN-", ${ID} "sn-"`],
    ["registrationId.endsWith('-X')", `compares with "-X", ${ID} "-x"`],
    ["registrationId.contains('X')", `compares with "X", ${ID} "x"`],
    ["registrationId == 'SN-1'", `compares with "SN-1", ${ID} "sn-1"`],
    ["'SN-1' != registrationId", `compares with "SN-1", ${ID} "sn-1"`],
    ["registrationId in ['sn-1', 'SN-2']", `compares with "SN-2", ${ID} "sn-2"`],
    ["registrationId in ['a'] + ['B']", `compares with "B", ${ID} "b"`],
    ["oneOf(registrationId, ['a'], ['B'])", `compares with "B", ${ID} "b"`],
    ["['SN-', 'x'].exists(p, registrationId.startsWith(p))", `compares with "SN-", ${ID} "sn-"`],
    ["registrationId.split('-')[0] == 'SN'", `compares with "SN", ${ID} "sn"`],
    ["registrationId.substring(0, 2) == 'SN'", `compares with "SN", ${ID} "sn"`],
    ["registrationId == (enrollment.iotEdge ? 'E' : 'd')", `compares with "E", ${ID} "e"`],
    ["payload.x == 1 && !(registrationId == 'SN' + '-1')", `compares with "SN-1", ${ID} "sn-1"`],
    [
      "enrollment.id == 'Line-A'",
      'compares with "Line-A", but enrollment.id keeps the case in which it was created, and DPS ignores case: compare enrollment.id.lowerAscii() with "line-a"',
    ],
    [
      "current.hub == 'Contoso.azure-devices.net'",
      'compares with "Contoso.azure-devices.net", but current.hub is always lower case, so this never matches: write "contoso.azure-devices.net"',
    ],
    ["cel.bind(id, registrationId, id.startsWith('SN-'))", `compares with "SN-", ${ID} "sn-"`],
    [
      "current.hub == 'contoso'",
      'compares with "contoso", but current.hub is a full host name, so this never matches: write it as in the fleet file, "contoso-weu.azure-devices.net"',
    ],
    [
      "current.hub.endsWith('.device.azure-devices.net')",
      'compares with ".device.azure-devices.net", but current.hub is always a classic host name, so this never matches: remove ".device" or ".service"',
    ],
    [
      "enrollment.kind == 'Group'",
      'compares with "Group", but enrollment.kind is always one of individual, group, unknown: write one of these',
    ],
    [
      "attestation.kind in ['X509']",
      'compares with "X509", but attestation.kind is always one of symmetricKey, x509, tpm, none, unknown: write one of these',
    ],
    [
      "payload.country.lowerAscii() in ['DE']",
      'compares with "DE", but payload.country.lowerAscii() is always lower case, so this never matches: write "de"',
    ],
    [
      "payload.country.trim().upperAscii() == 'de'",
      'compares with "de", but it.upperAscii() is always upper case, so this never matches: write "DE"',
    ],
  ])('gets a warning: %s', (when, message) => {
    expect(saidOf(when)).toEqual([message]);
  });

  test('gets a warning in every condition and value of a fleet file', () => {
    const fleet = fleetOf({
      allocation: { payload: { near: "=hub.region == 'West Europe'", list: ["=hub.host == 'A'"] } },
      twins: {
        scope: "hub.host == 'A.azure-devices.net'",
        initial: [
          {
            name: 'l',
            when: "registrationId == 'A'",
            tags: { x: "=registrationId == 'A' ? 1 : 2" },
            desired: { y: { z: "=enrollment.kind == 'Group'" } },
          },
        ],
        policies: [
          { name: 'p', when: "hub.host.startsWith('C')", desired: { a: { b: "=hub.region == 'WEU'" } } },
        ],
      },
    });

    expect(deadComparisons(fleet).map(({ path }) => path)).toEqual([
      'allocation.payload.near',
      'allocation.payload.list[0]',
      'twins.scope',
      'twins.initial[0].when',
      'twins.initial[0].tags.x',
      'twins.initial[0].desired.y.z',
      'twins.policies[0].when',
      'twins.policies[0].desired.a.b',
    ]);
  });
});

describe('a comparison that can be true', () => {
  test.each([
    "registrationId.startsWith('sn-')",
    "registrationId.upperAscii() == 'SN-1'",
    "enrollment.id.lowerAscii() == 'line-a'",
    "enrollment.id == 'line-a'",
    "enrollment.kind == 'group' && enrollment.kind.startsWith('ind')",
    "attestation.kind == 'symmetricKey'",
    "attestation.subject == 'CN=Device'",
    "current.hub == 'contoso.azure-devices.net'",
    "current.deviceId == 'SN-1'",
    "payload.country == 'DE'",
    "payload.items.exists(registration, registration == 'A')",
    'registrationId == payload.id',
    "registrationId + 'X' == 'snX'",
  ])('gets no warning: %s', (when) => {
    expect(saidOf(when)).toEqual([]);
  });
});

describe('a date with an offset in a desired property', () => {
  const datesOf = (desired: object) =>
    zonedDates(fleetOf({ twins: { policies: [{ name: 'p', desired }] } })).map(
      ({ path, message }) => `${path} ${message}`,
    );

  test('gets a warning that shows the same date in UTC', () => {
    expect(datesOf({ at: '2026-01-01T00:00:00+02:00' })).toEqual([
      'twins.policies[0].desired.at sets "2026-01-01T00:00:00+02:00", a date with an offset. The portal rewrites it in UTC, which is a different text, so the property becomes contested: write it in UTC, "2025-12-31T22:00:00Z"',
    ]);
  });

  test.each<[string, object]>([
    ['with an offset of zero', { at: '2026-01-01T00:00:00+00:00' }],
    ['with a fraction of a second', { at: '2026-01-01T00:00:00.1234567-05:30' }],
    ['with an offset without a colon', { at: '2026-01-01T00:00:00+0200' }],
    ['inside a list', { at: [1, { from: '2026-01-01T00:00:00+02:00' }] }],
    ['deep inside an object', { a: { b: { c: '2026-01-01T00:00:00+02:00' } } }],
    ['written by an expression', { at: "=reported.x ? '2026-01-01T00:00:00+02:00' : 'no'" }],
  ])('gets a warning: %s', (_, desired) => {
    expect(datesOf(desired)).toHaveLength(1);
  });

  test('gets a warning in a layer', () => {
    const initial = [{ name: 'l', desired: { at: '2026-01-01T00:00:00+02:00' }, tags: { at: 'x' } }];

    expect(zonedDates(fleetOf({ twins: { initial } }))).toEqual([
      { path: 'twins.initial[0].desired', message: expect.stringContaining('the device sees a change') },
    ]);
  });

  test.each<[string, object]>([
    ['a date in UTC', { at: '2026-01-01T00:00:00Z' }],
    ['a date without a time', { at: '2026-01-01' }],
    ['a date that is only compared', { at: "=reported.at == '2026-01-01T00:00:00+02:00'" }],
    ['a date inside a longer text', { at: 'since 2026-01-01T00:00:00+02:00' }],
    ['a local time without an offset', { at: '2026-01-01T00:00:00' }],
  ])('gets no warning: %s', (_, desired) => {
    expect(datesOf(desired)).toEqual([]);
  });
});
