import { describe, expect, test } from '@jest/globals';
import { type Latency, latenciesOf } from '../../src/allocation/score/latency.ts';
import { fleetOf, HOSTS, requestOf } from './requests.ts';

const [WEU, EUS, SEA] = ['weu.azure-devices.net', 'eus.azure-devices.net', 'sea.azure-devices.net'] as const;
const of = (payload: unknown, hubs: Readonly<Record<string, object>> = {}) => {
  const { byHost, notes } = latenciesOf(
    requestOf({ context: { payload }, linkedHubs: [...HOSTS, 'old.azure-devices.net'] }),
    fleetOf({ hubs }),
  );
  return { byHost: Object.fromEntries<Latency>(byHost), notes };
};
const measured = (ms: number): Latency => ({ ms, source: 'measured' });
const regions = (ms: number): Latency => ({ ms, source: 'regions' });

describe('the latency of a hub', () => {
  test.each<[string, unknown, Readonly<Record<string, Latency>>]>([
    ['measured for the host name', { latency: { [WEU]: 12.5 } }, { [WEU]: measured(12.5) }],
    [
      'measured for the host name in any case',
      { latency: { [WEU.toUpperCase()]: 0 } },
      { [WEU]: measured(0) },
    ],
    ['measured for the region', { latency: { eastus: 80 } }, { [EUS]: measured(80) }],
    [
      'measured for the region, written as in the portal',
      { latency: { 'Southeast Asia': 9 } },
      { [SEA]: measured(9) },
    ],
    ['the host name before the region', { latency: { westeurope: 50, [WEU]: 10 } }, { [WEU]: measured(10) }],
    [
      'measured for a hub that is not in the fleet file',
      { latency: { 'old.azure-devices.net': 3 } },
      { 'old.azure-devices.net': measured(3) },
    ],
    [
      'the table of regions',
      { region: 'germanywestcentral' },
      { [WEU]: regions(12), [EUS]: regions(94), [SEA]: regions(157) },
    ],
    [
      'measurements before the table, for each hub separately',
      { region: 'West Europe', latency: { eastus: 80 } },
      { [WEU]: regions(1), [EUS]: measured(80), [SEA]: regions(160) },
    ],
    [
      'the table before the distance',
      { region: 'westeurope', location: { lat: 1.3, lon: 103.8 } },
      { [WEU]: regions(1), [EUS]: regions(84), [SEA]: regions(160) },
    ],
    ['unknown without a source in the payload', { site: 'x' }, {}],
    ['unknown without a payload', undefined, {}],
    ['unknown when the payload is not an object', 'fast', {}],
    [
      'unknown when the payload names only hubs and regions that are not linked',
      { latency: { 'x.azure-devices.net': 1, japaneast: 1 } },
      {},
    ],
  ])('is taken from the sources in order: %s', (_, payload, expected) => {
    expect(of(payload)).toEqual({ byHost: expected, notes: [] });
  });

  test('comes from the distance when the device sends its location', () => {
    const { byHost } = of({ location: { lat: 52.37, lon: 4.9 } });

    expect(byHost[WEU]).toEqual({ ms: 26, source: 'distance' });
    expect(byHost[EUS]?.ms).toBeGreaterThan(100);
    expect(byHost[SEA]?.ms).toBeGreaterThan(byHost[EUS]?.ms ?? Number.NaN);
  });

  test('comes from the distance to the device’s region when the table does not know the hub’s region', () => {
    const { byHost } = of({ region: 'swedencentral' }, { weu: { region: 'denmarkeast' } });

    expect(byHost[WEU]).toEqual({ ms: 35, source: 'distance' });
  });

  test('comes only from measurements when the hub’s region is unknown', () => {
    const hubs = { weu: { region: 'usgovvirginia' } };

    expect(of({ region: 'westeurope' }, hubs).byHost[WEU]).toBeUndefined();
    expect(of({ latency: { usgovvirginia: 7 } }, hubs).byHost[WEU]).toEqual(measured(7));
  });
});

describe('an impossible latency input', () => {
  test.each<[string, unknown, string]>([
    [
      'a negative number',
      { latency: { [WEU]: -1 } },
      `payload.latency of ${WEU} is not a number from 0 to 60000`,
    ],
    [
      'a text',
      { latency: { westeurope: '12' } },
      'payload.latency of westeurope is not a number from 0 to 60000',
    ],
    [
      'a number that is too large',
      { latency: { [WEU]: 1e9 } },
      `payload.latency of ${WEU} is not a number from 0 to 60000`,
    ],
    ['null', { latency: { [WEU]: null } }, `payload.latency of ${WEU} is not a number from 0 to 60000`],
    [
      'measurements that are not an object',
      { latency: [1, 2, 3] },
      'payload.latency is not an object from host or region to milliseconds',
    ],
    ['an unknown region', { region: 'atlantis' }, 'payload.region is not an Azure region'],
    ['a region that is not a text', { region: 5 }, 'payload.region is not an Azure region'],
    [
      'a location beyond the poles',
      { location: { lat: 91, lon: 0 } },
      'payload.location is not {lat, lon} in degrees',
    ],
    ['a location in words', { location: 'Amsterdam' }, 'payload.location is not {lat, lon} in degrees'],
  ])('is ignored with a note: %s', (_, payload, note) => {
    expect(of(payload)).toEqual({ byHost: {}, notes: [note] });
  });

  test('is replaced by the next source', () => {
    expect(of({ latency: { [WEU]: -1 }, region: 'westeurope' }).byHost[WEU]).toEqual(regions(1));
  });

  test('is neither used nor repeated when it names made-up hosts', () => {
    const latency = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`constructor${index}`, -1]),
    );

    expect(of({ latency: { ...latency, constructor: 5, toString: 5 } })).toEqual({ byHost: {}, notes: [] });
  });
});
