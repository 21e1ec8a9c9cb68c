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

describe('the first source that answers counts', () => {
  test.each<[string, unknown, Readonly<Record<string, Latency>>]>([
    ['measured by host', { latency: { [WEU]: 12.5 } }, { [WEU]: measured(12.5) }],
    ['a host in any case', { latency: { [WEU.toUpperCase()]: 0 } }, { [WEU]: measured(0) }],
    ['measured by region', { latency: { eastus: 80 } }, { [EUS]: measured(80) }],
    ['a region as people write it', { latency: { 'Southeast Asia': 9 } }, { [SEA]: measured(9) }],
    ['host before region', { latency: { westeurope: 50, [WEU]: 10 } }, { [WEU]: measured(10) }],
    [
      'a hub that is not in the file',
      { latency: { 'old.azure-devices.net': 3 } },
      { 'old.azure-devices.net': measured(3) },
    ],
    [
      'the table of regions',
      { region: 'germanywestcentral' },
      { [WEU]: regions(12), [EUS]: regions(94), [SEA]: regions(157) },
    ],
    [
      'measured before the table, hub by hub',
      { region: 'West Europe', latency: { eastus: 80 } },
      { [WEU]: regions(1), [EUS]: measured(80), [SEA]: regions(160) },
    ],
    [
      'the table before the distance',
      { region: 'westeurope', location: { lat: 1.3, lon: 103.8 } },
      { [WEU]: regions(1), [EUS]: regions(84), [SEA]: regions(160) },
    ],
    ['nothing', { site: 'x' }, {}],
    ['no payload', undefined, {}],
    ['a payload that is no object', 'fast', {}],
    ['hubs and regions that are not linked', { latency: { 'x.azure-devices.net': 1, japaneast: 1 } }, {}],
  ])('%s', (_, payload, expected) => {
    expect(of(payload)).toEqual({ byHost: expected, notes: [] });
  });

  test('the distance, where the device says where it is', () => {
    const { byHost } = of({ location: { lat: 52.37, lon: 4.9 } });

    expect(byHost[WEU]).toEqual({ ms: 26, source: 'distance' });
    expect(byHost[EUS]?.ms).toBeGreaterThan(100);
    expect(byHost[SEA]?.ms).toBeGreaterThan(byHost[EUS]?.ms ?? Number.NaN);
  });

  test('the distance from its region, for a hub that the table does not know', () => {
    const { byHost } = of({ region: 'swedencentral' }, { weu: { region: 'denmarkeast' } });

    expect(byHost[WEU]).toEqual({ ms: 35, source: 'distance' });
  });

  test('a hub in a region that is not known is known by what was measured only', () => {
    const hubs = { weu: { region: 'usgovvirginia' } };

    expect(of({ region: 'westeurope' }, hubs).byHost[WEU]).toBeUndefined();
    expect(of({ latency: { usgovvirginia: 7 } }, hubs).byHost[WEU]).toEqual(measured(7));
  });
});

describe('absurd figures are ignored, with a note', () => {
  test.each<[string, unknown, string]>([
    ['negative', { latency: { [WEU]: -1 } }, `payload.latency of ${WEU} is no number from 0 to 60000`],
    ['text', { latency: { westeurope: '12' } }, 'payload.latency of westeurope is no number from 0 to 60000'],
    ['too large', { latency: { [WEU]: 1e9 } }, `payload.latency of ${WEU} is no number from 0 to 60000`],
    ['null', { latency: { [WEU]: null } }, `payload.latency of ${WEU} is no number from 0 to 60000`],
    ['no object', { latency: [1, 2, 3] }, 'payload.latency is no object of host or region and ms'],
    ['no region', { region: 'atlantis' }, 'payload.region is no Azure region'],
    ['a region of another kind', { region: 5 }, 'payload.region is no Azure region'],
    ['beyond the poles', { location: { lat: 91, lon: 0 } }, 'payload.location is no {lat, lon} in degrees'],
    ['places in words', { location: 'Amsterdam' }, 'payload.location is no {lat, lon} in degrees'],
  ])('%s', (_, payload, note) => {
    expect(of(payload)).toEqual({ byHost: {}, notes: [note] });
  });

  test('the next source answers for them', () => {
    expect(of({ latency: { [WEU]: -1 }, region: 'westeurope' }).byHost[WEU]).toEqual(regions(1));
  });

  test('names that a device makes up are neither used nor repeated', () => {
    const latency = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`constructor${index}`, -1]),
    );

    expect(of({ latency: { ...latency, constructor: 5, toString: 5 } })).toEqual({ byHost: {}, notes: [] });
  });
});
