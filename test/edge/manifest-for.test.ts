import { describe, expect, test } from '@jest/globals';
import { manifestFor } from '../../src/edge/manifest-for.ts';
import {
  CHUNK_CHARACTERS,
  createOptionsFields,
  readCreateOptions,
} from '../../src/fleet/edge/create-options.ts';
import { renderManifest } from '../../src/fleet/edge/manifest.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { fc } from '../support/properties.ts';
import { edgeDevice, edgeFleet, manifestOf } from './edge-devices.ts';

const IMAGE = 'contoso.azurecr.io/sensor:1';
const UPSTREAM = 'FROM /messages/* INTO $upstream';
const settingNames = (name: string) => `setting:${name}`;
const contentOf = (fleet: Fleet, tags = {}) => {
  const { modulesContent } = renderManifest(manifestOf(fleet, edgeDevice(tags)), settingNames);
  return modulesContent as Record<string, { 'properties.desired': Record<string, unknown> }>;
};

describe('the manifest of a device', () => {
  test('is the whole body of applyConfigurationContent', () => {
    const fleet = edgeFleet(
      [
        {
          name: 'sensor',
          modules: {
            tempSensor: {
              image: IMAGE,
              createOptions: { HostConfig: { Privileged: true } },
              env: { MessageCount: -1, SITE: '=tags.site', KEY: 'setting:SENSOR_KEY' },
              imagePullPolicy: 'never',
              restartPolicy: 'on-failure',
              startupOrder: 2,
              version: '1.0',
              desired: { SendInterval: '=tags.interval' },
            },
          },
          routes: { toCloud: UPSTREAM, alerts: { route: UPSTREAM, priority: 0, timeToLiveSecs: 60 } },
        },
      ],
      {
        registries: [
          { address: 'contoso.azurecr.io', username: 'setting:USER', password: 'setting:PASSWORD' },
        ],
      },
    );

    expect(contentOf(fleet, { site: 'ams', interval: 5 })).toEqual({
      $edgeAgent: {
        'properties.desired': {
          schemaVersion: '1.1',
          runtime: {
            type: 'docker',
            settings: {
              minDockerVersion: 'v1.25',
              loggingOptions: '',
              registryCredentials: {
                contoso_azurecr_io: {
                  address: 'contoso.azurecr.io',
                  username: 'setting:USER',
                  password: 'setting:PASSWORD',
                },
              },
            },
          },
          systemModules: {
            edgeAgent: { type: 'docker', settings: { image: 'mcr.microsoft.com/azureiotedge-agent:1.6' } },
            edgeHub: {
              type: 'docker',
              status: 'running',
              restartPolicy: 'always',
              settings: { image: 'mcr.microsoft.com/azureiotedge-hub:1.6' },
            },
          },
          modules: {
            tempSensor: {
              type: 'docker',
              status: 'running',
              restartPolicy: 'on-failure',
              startupOrder: 2,
              imagePullPolicy: 'never',
              version: '1.0',
              settings: { image: IMAGE, createOptions: '{"HostConfig":{"Privileged":true}}' },
              env: {
                MessageCount: { value: -1 },
                SITE: { value: 'ams' },
                KEY: { value: 'setting:SENSOR_KEY' },
              },
            },
          },
        },
      },
      $edgeHub: {
        'properties.desired': {
          schemaVersion: '1.1',
          routes: { toCloud: UPSTREAM, alerts: { route: UPSTREAM, priority: 0, timeToLiveSecs: 60 } },
          storeAndForwardConfiguration: { timeToLiveSecs: 7200 },
        },
      },
      tempSensor: { 'properties.desired': { SendInterval: 5 } },
    });
  });

  test('leaves the twin of a module alone whose desired properties the file does not set', () => {
    const fleet = edgeFleet([{ name: 'sensor', modules: { tempSensor: { image: IMAGE } } }]);

    expect(Object.keys(contentOf(fleet))).toEqual(['$edgeAgent', '$edgeHub']);
  });

  test.each([
    [
      'no deployment matches',
      edgeFleet([{ name: 'a', when: "tags.site == 'ams'", routes: { r: UPSTREAM } }]),
      'no deployment matches it',
    ],
    [
      'the device is outside of twins.scope',
      edgeFleet([{ name: 'a', routes: { r: UPSTREAM } }], {}, { scope: "tags.site == 'ams'" }),
      'outside of twins.scope',
    ],
  ])('is nothing if %s, and the reason is given', (_, fleet, why) => {
    expect(manifestFor(edgeDevice({ site: 'ber' }), fleet)).toMatchObject({
      manifest: undefined,
      provenance: { why, deployments: [] },
      problems: [],
    });
  });

  test('is nothing if the only condition is unknown, and the reason names the deployment', () => {
    const fleet = edgeFleet([{ name: 'a', when: "tags.site == 'ams'", routes: { r: UPSTREAM } }]);

    expect(manifestFor(edgeDevice(), fleet)).toMatchObject({
      manifest: undefined,
      provenance: { skipped: [{ deployment: 'a', why: 'the key site is missing' }] },
    });
  });
});

describe('layers', () => {
  const fleet = edgeFleet([
    {
      name: 'base',
      modules: { sensor: { image: IMAGE }, logger: { image: 'logger:1' } },
      routes: { toCloud: UPSTREAM },
    },
    { name: 'pilot', when: 'tags.ring == 1', modules: { sensor: { image: 'sensor:2', env: { A: '1' } } } },
    { name: 'quiet', when: 'tags.quiet == true', modules: { logger: null }, routes: { toCloud: null } },
    { name: 'loud', when: 'tags.loud == true', modules: { logger: { image: 'logger:2' } } },
  ]);

  test('the last matching layer wins for each module and each route', () => {
    const tags = { ring: 1, quiet: true, loud: false };
    const { manifest, provenance } = manifestFor(edgeDevice(tags), fleet);

    expect([...(manifest?.modules ?? [])].map(([name, { image }]) => [name, image])).toEqual([
      ['sensor', 'sensor:2'],
    ]);
    expect([...(manifest?.routes.keys() ?? [])]).toEqual([]);
    expect(provenance).toMatchObject({
      deployments: ['base', 'pilot', 'quiet'],
      modules: {
        sensor: { deployment: 'pilot', over: ['base'], isRemoved: false },
        logger: { deployment: 'quiet', over: ['base'], isRemoved: true },
      },
      routes: { toCloud: { deployment: 'quiet', over: ['base'], isRemoved: true } },
    });
  });

  test('a layer replaces a module as a whole', () => {
    const { manifest } = manifestFor(edgeDevice({ ring: 1, quiet: false, loud: false }), fleet);

    expect(manifest?.modules.get('sensor')?.env).toEqual([['A', { kind: 'literal', value: '1' }]]);
    expect(
      manifestOf(fleet, edgeDevice({ ring: 2, quiet: false, loud: false })).modules.get('sensor')?.env,
    ).toEqual([]);
  });

  test('a later layer can add a module again that an earlier one removes', () => {
    const { manifest, provenance } = manifestFor(edgeDevice({ ring: 2, quiet: true, loud: true }), fleet);

    expect(manifest?.modules.get('logger')?.image).toBe('logger:2');
    expect(provenance.modules.logger).toEqual({
      deployment: 'loud',
      over: ['base', 'quiet'],
      isRemoved: false,
    });
  });

  test('for any layers and any device, each module is the one of its last matching layer', () => {
    const names = ['a', 'b', 'c'] as const;
    const part = fc.option(fc.nat({ max: 5 }), { nil: null });
    const layer = fc.record({
      ring: fc.nat({ max: 2 }),
      modules: fc.dictionary(fc.constantFrom(...names), part, { minKeys: 1 }),
    });
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 5 }), fc.nat({ max: 2 }), (layers, ring) => {
        const any = edgeFleet([
          { name: 'base', routes: { toCloud: UPSTREAM } },
          ...layers.map(({ ring: wanted, modules }, index) => ({
            name: `layer-${index}`,
            when: `tags.ring >= ${wanted}`,
            modules: Object.fromEntries(
              Object.entries(modules).map(([name, version]) => [
                name,
                version === null ? null : { image: `m:${version}` },
              ]),
            ),
          })),
        ]);
        const expected = new Map<string, string>();
        for (const { ring: wanted, modules } of layers) {
          if (ring < wanted) continue;
          for (const [name, version] of Object.entries(modules)) {
            if (version === null) expected.delete(name);
            else expected.set(name, `m:${version}`);
          }
        }
        const { manifest, provenance } = manifestFor(edgeDevice({ ring }), any);

        expect(
          Object.fromEntries([...(manifest?.modules ?? [])].map(([name, { image }]) => [name, image])),
        ).toEqual(Object.fromEntries(expected));
        for (const name of expected.keys()) expect(provenance.modules[name]?.isRemoved).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('what is wrong for one device', () => {
  test.each<[string, object, object, string, string]>([
    [
      'a missing tag in a variable',
      { env: { SITE: '=tags.site' } },
      {},
      'BERTH_EDGE_VALUE_UNKNOWN',
      'edge.deployments[0].modules.sensor.env.SITE is left out: the key site is missing',
    ],
    [
      'a missing tag in desired',
      { desired: { a: { b: '=tags.site' } } },
      {},
      'BERTH_EDGE_VALUE_UNKNOWN',
      'modules.sensor.desired.a.b is left out',
    ],
    [
      'a redacted value',
      { env: { KEY: '=tags.key' } },
      { key: 'redacted:0123' },
      'BERTH_EDGE_VALUE_UNKNOWN',
      'twins.redact hides',
    ],
    [
      'a redacted value in desired',
      { desired: { key: '=tags.key' } },
      { key: 'redacted:0123' },
      'BERTH_EDGE_VALUE_UNKNOWN',
      'twins.redact hides',
    ],
  ])(
    '%s is left out and reported, and the manifest is applied without it',
    (_, module, tags, code, problem) => {
      const fleet = edgeFleet([{ name: 'sensor', modules: { sensor: { image: IMAGE, ...module } } }]);
      const { manifest, problems } = manifestFor(edgeDevice(tags as never), fleet);

      expect(problems.map(({ path, message }) => `${path} ${message}`).join('\n')).toContain(problem);
      expect(problems).toEqual([expect.objectContaining({ code, stops: false })]);
      expect(JSON.stringify(renderManifest(manifest as never, settingNames))).not.toContain('redacted');
    },
  );

  test.each<[string, object, object, string]>([
    [
      'a variable that is an object',
      { env: { SITE: '=tags.site' } },
      { site: {} },
      'is not a text, a number, true or false',
    ],
    [
      'a variable over 4 KB',
      { env: { SITE: '=tags.site' } },
      { site: 'x'.repeat(4_097) },
      'is a text over 4 KB',
    ],
    [
      'a desired text over 4 KB',
      { desired: { site: '=tags.site + tags.site' } },
      { site: 'x'.repeat(4_000) },
      'is a string over 4 KB',
    ],
  ])('%s stops the manifest', (_, module, tags, problem) => {
    const fleet = edgeFleet([{ name: 'sensor', modules: { sensor: { image: IMAGE, ...module } } }]);
    const { manifest, problems } = manifestFor(edgeDevice(tags as never), fleet);

    expect(manifest).toBeUndefined();
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'BERTH_EDGE_MANIFEST_INVALID',
        stops: true,
        message: expect.stringContaining(problem),
      }),
    ]);
  });

  test('more than 50 modules from two layers stop the manifest of the device that gets both', () => {
    const modules = (from: number) =>
      Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`m${from + index}`, { image: IMAGE }]));
    const fleet = edgeFleet([
      { name: 'one', modules: modules(0) },
      { name: 'two', when: 'tags.both == true', modules: modules(30) },
    ]);

    expect(manifestFor(edgeDevice({ both: false }), fleet).problems).toEqual([]);
    expect(manifestFor(edgeDevice({ both: true }), fleet)).toMatchObject({
      manifest: undefined,
      problems: [{ code: 'BERTH_EDGE_MANIFEST_INVALID', message: expect.stringContaining('60 modules') }],
    });
  });

  test('a route to a module that the device does not get is reported', () => {
    const fleet = edgeFleet([
      {
        name: 'base',
        routes: { filtered: 'FROM /messages/* INTO BrokeredEndpoint("/modules/filter/inputs/in")' },
      },
      { name: 'filter', when: 'tags.filter == true', modules: { filter: { image: IMAGE } } },
    ]);

    expect(manifestFor(edgeDevice({ filter: true }), fleet).problems).toEqual([]);
    expect(manifestFor(edgeDevice({ filter: false }), fleet).problems).toEqual([
      expect.objectContaining({
        code: 'BERTH_EDGE_MODULE_MISSING',
        stops: false,
        path: 'edge.deployments[0].routes.filtered',
      }),
    ]);
  });

  test('a device cannot make an expression name a setting', () => {
    const fleet = edgeFleet([
      { name: 'sensor', modules: { sensor: { image: IMAGE, env: { NAME: '=tags.name' } } } },
    ]);
    const manifest = manifestOf(fleet, edgeDevice({ name: 'setting:ACR_PASSWORD' }));
    const rendered = JSON.stringify(renderManifest(manifest, () => 'the secret value'));

    expect(rendered).toContain('"setting:ACR_PASSWORD"');
    expect(rendered).not.toContain('the secret value');
  });
});

describe('createOptions in chunks', () => {
  test('any options survive the cut into chunks of at most 512 characters', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 700 }), { maxLength: 12 }), (texts) => {
        const read = readCreateOptions({ createOptions: { Env: texts } });
        if (!read.ok) throw new Error(read.problem);
        const fields = createOptionsFields(read.text);

        expect(Object.values(fields).every(({ length }) => length <= CHUNK_CHARACTERS)).toBe(true);
        // A chunk that ends inside a character would not survive UTF-8.
        const sent = JSON.parse(Buffer.from(JSON.stringify(fields), 'utf8').toString('utf8'));
        expect(
          Object.values(fields).every((chunk) => Buffer.from(chunk, 'utf8').toString('utf8') === chunk),
        ).toBe(true);
        expect(readCreateOptions(sent)).toMatchObject({ ok: true, options: { Env: texts } });
      }),
      { numRuns: 100 },
    );
  });

  test('the eleventh chunk has two digits, because names are sorted as text', () => {
    const names = Object.keys(createOptionsFields('x'.repeat(12 * 512)));

    expect(names).toEqual([...names].sort());
    expect(names.slice(0, 2)).toEqual(['createOptions', 'createOptions01']);
  });
});
