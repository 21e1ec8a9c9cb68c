import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { type BicepFile, loadBicep } from './bicep.ts';
import { infraFiles } from './infra-files.ts';

const PARAMETER_FILES = ['infra/main.bicepparam', 'infra/small.bicepparam', 'infra/production.bicepparam'];

let files: ReadonlyMap<string, BicepFile>;
beforeAll(async () => {
  files = infraFiles(await loadBicep());
});

const fileAt = (path: string): BicepFile => {
  const file = files.get(path);
  if (file === undefined) throw new Error(`no ${path}`);
  return file;
};
const stampsOf = ({ text }: BicepFile) => {
  const [, stamps] = /^param stamps = \[([\s\S]*?)^\]/m.exec(text) ?? [];
  return stamps === undefined ? ['main'] : [...stamps.matchAll(/name: '(\w+)'/g)].map((match) => match[1]);
};

interface HubOfFile {
  readonly host: string;
  readonly stamp?: string;
}

/** Why a fleet cannot be deployed with some stamps. */
function problemsOf(hubs: readonly HubOfFile[], stamps: readonly (string | undefined)[]): readonly string[] {
  const named = hubs.filter(({ stamp }) => stamp !== undefined);
  return [
    ...hubs.flatMap(({ host }) =>
      /^[a-z0-9][a-z0-9-]{1,48}[a-z0-9]\.azure-devices\.net$/i.test(host)
        ? []
        : [`${host} is no name of an IoT hub`],
    ),
    ...(named.length === 0 || named.length === hubs.length
      ? []
      : ['some hubs name a stamp and others do not']),
    ...named.flatMap(({ host, stamp }) =>
      stamps.includes(stamp) ? [] : [`${host} is of the stamp ${stamp}, which is not deployed`],
    ),
    ...(named.length === 0
      ? []
      : stamps.flatMap((stamp) =>
          named.some((hub) => hub.stamp === stamp) ? [] : [`the stamp ${stamp} has no hub`],
        )),
  ];
}

describe.each(PARAMETER_FILES)('%s', (path) => {
  const read = () => {
    const [loaded = ''] = fileAt(path).filesLoaded;
    return readFileSync(join('infra', loaded), 'utf8');
  };

  test('takes the hubs from a fleet file that Berth accepts', () => {
    expect(fileAt(path).filesLoaded).toHaveLength(1);
    expect(parseFleet(read())).toMatchObject({ ok: true, warnings: [] });
  });

  test('deploys exactly the stamps that the hubs of the fleet file belong to', () => {
    const { hubs } = JSON.parse(read()) as { readonly hubs: readonly HubOfFile[] };

    expect(problemsOf(hubs, stampsOf(fileAt(path)))).toEqual([]);
  });

  test('passes the hubs of the fleet file on unchanged', () => {
    expect(fileAt(path).text).toMatch(/^param hubs = loadJsonContent\('[\w./]+'\)\.hubs$/m);
  });
});

test('the template accepts only hub fields of the fleet file, and requires only fields that the fleet file requires', () => {
  const [, body = ''] = /^type fleetHub = \{([\s\S]*?)^\}/m.exec(fileAt('infra/types.bicep').text) ?? [];
  const taken = [...body.matchAll(/^ {2}(\w+): (.*)$/gm)].map(([, name = '', type = '']) => ({
    name,
    isRequired: !type.endsWith('?'),
  }));
  const { properties, required } = JSON.parse(readFileSync('schemas/fleet.schema.json', 'utf8')).properties
    .hubs.items;

  expect(taken.map(({ name }) => name)).toEqual(['host', 'region', 'tier', 'units', 'stamp', 'labels']);
  expect(taken.filter(({ name }) => !(name in properties))).toEqual([]);
  expect(taken.filter(({ name, isRequired }) => isRequired && !required.includes(name))).toEqual([]);
  expect(body).toContain("tier: 'F1' | 'S1' | 'S2' | 'S3'");
  expect(properties.tier.enum).toEqual(['F1', 'S1', 'S2', 'S3']);
});

describe('the check of stamps', () => {
  const hub = (name: string, stamp?: string): HubOfFile => ({
    host: `${name}.azure-devices.net`,
    ...(stamp === undefined ? {} : { stamp }),
  });

  test.each<[string, readonly HubOfFile[], readonly string[], string]>([
    ['a hub without a stamp among hubs with one', [hub('one', 'eu'), hub('two')], ['eu'], 'others do not'],
    [
      'a stamp that is not deployed',
      [hub('one', 'eu'), hub('two', 'us')],
      ['eu'],
      'the stamp us, which is not deployed',
    ],
    ['a stamp without a hub', [hub('one', 'eu')], ['eu', 'us'], 'the stamp us has no hub'],
    ['a host that is not an IoT hub', [{ host: 'one.example.com' }], ['main'], 'no name of an IoT hub'],
  ])('the check of stamps finds %s', (_, hubs, stamps, problem) => {
    expect(problemsOf(hubs, stamps).join()).toContain(problem);
  });
});
