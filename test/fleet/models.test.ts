import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseFleetWithModels, readModels } from '../../src/fleet/file/models.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { readModelFiles } from '../../src/instance/model-files.ts';
import type { JsonValue } from '../../src/json/json.ts';

const CONTROLLER = 'dtmi:com:example:TemperatureController;1';
const component = (name: unknown, schema: unknown = 'dtmi:com:example:Thermostat;1') => ({
  '@type': 'Component',
  name,
  schema,
});
const model = (id: unknown, contents: unknown = [], more: object = {}) => ({
  '@context': 'dtmi:dtdl:context;3',
  '@id': id,
  '@type': 'Interface',
  contents,
  ...more,
});

/** Each in a file of its own: a.json, b.json and so on. */
function read(...contents: readonly unknown[]) {
  const files = contents.map((content, index) => ({
    name: `${String.fromCharCode(97 + index)}.json`,
    text: typeof content === 'string' ? content : JSON.stringify(content),
  }));
  const { models, problems } = readModels(files);
  return { models, problems: problems.map(({ path, message }) => `${path} ${message}`) };
}

describe('the public models of a temperature controller', () => {
  const files = readModelFiles(join(import.meta.dirname, 'fleet.json'));

  test('are found next to the fleet file, at any depth, in the order of their names', () => {
    expect(files.map(({ name }) => name)).toEqual([
      'dtmi/com/example/temperaturecontroller-1.json',
      'dtmi/com/example/thermostat-1.json',
    ]);
  });

  test('tell the components of the controller; the thermostat has none', () => {
    expect(readModels(files)).toEqual({
      models: { [CONTROLLER]: ['deviceInformation', 'thermostat1', 'thermostat2'] },
      problems: [],
    });
  });

  test('are none where there is no folder', () => {
    expect(readModelFiles('/nowhere/fleet.json')).toEqual([]);
  });
});

describe('of DTDL, Berth reads', () => {
  test.each<[string, readonly unknown[], Readonly<Record<string, readonly string[]>>]>([
    [
      'version 2',
      [{ ...model('dtmi:a;1', [component('c1')]), '@context': 'dtmi:dtdl:context;2' }],
      { 'dtmi:a;1': ['c1'] },
    ],
    ['version 3', [model('dtmi:a;1', [component('c1')])], { 'dtmi:a;1': ['c1'] }],
    [
      'extensions of the language beside it',
      [
        model('dtmi:a;1', [component('c1')], {
          '@context': ['dtmi:dtdl:context;3', 'dtmi:dtdl:extension:quantitativeTypes;1'],
        }),
      ],
      { 'dtmi:a;1': ['c1'] },
    ],
    [
      'a list of interfaces',
      [[model('dtmi:a;1', [component('c1')]), model('dtmi:b;1', [component('c2')])]],
      {
        'dtmi:a;1': ['c1'],
        'dtmi:b;1': ['c2'],
      },
    ],
    ['a single content without brackets', [model('dtmi:a;1', component('c1'))], { 'dtmi:a;1': ['c1'] }],
    [
      'a component with further types',
      [model('dtmi:a;1', [{ ...component('c1'), '@type': ['Component', 'X'] }])],
      {
        'dtmi:a;1': ['c1'],
      },
    ],
    [
      'a component whose interface is written inside of it',
      [model('dtmi:a;1', [component('c1', INLINE('dtmi:b;1', 'c2'))])],
      {
        'dtmi:a;1': ['c1'],
        'dtmi:b;1': ['c2'],
      },
    ],
    [
      'a component whose interface is in no file',
      [model('dtmi:a;1', [component('c1', 'dtmi:else:where;9')])],
      {
        'dtmi:a;1': ['c1'],
      },
    ],
    [
      'a component whose interface is named by an object',
      [model('dtmi:a;1', [component('c1', { '@id': 'dtmi:b;1' })])],
      {
        'dtmi:a;1': ['c1'],
      },
    ],
    [
      'what an interface extends, in whichever file',
      [model('dtmi:a;1', [component('c2')], { extends: 'dtmi:b;1' }), model('dtmi:b;1', [component('c1')])],
      { 'dtmi:a;1': ['c1', 'c2'], 'dtmi:b;1': ['c1'] },
    ],
    [
      'what is extended over several steps and twice over',
      [
        model('dtmi:a;1', [], { extends: ['dtmi:b;1', 'dtmi:c;1'] }),
        model('dtmi:b;1', [component('c1')], { extends: ['dtmi:d;1'] }),
        model('dtmi:c;1', [component('c2')], { extends: ['dtmi:d;1'] }),
        model('dtmi:d;1', [component('c3')]),
      ],
      {
        'dtmi:a;1': ['c1', 'c2', 'c3'],
        'dtmi:b;1': ['c1', 'c3'],
        'dtmi:c;1': ['c2', 'c3'],
        'dtmi:d;1': ['c3'],
      },
    ],
    [
      'an interface that is extended where it is written',
      [model('dtmi:a;1', [component('c2')], { extends: [INLINE('dtmi:b;1', 'c1')] })],
      { 'dtmi:a;1': ['c1', 'c2'], 'dtmi:b;1': ['c1'] },
    ],
    [
      'the same interface in two files',
      [[model('dtmi:a;1', [component('c1')]), model('dtmi:b;1')], model('dtmi:a;1', [component('c1')])],
      { 'dtmi:a;1': ['c1'] },
    ],
    [
      'an id without a version, and one of two parts',
      [model('dtmi:a', component('c1')), model('dtmi:a;1.2', component('c2'))],
      {
        'dtmi:a': ['c1'],
        'dtmi:a;1.2': ['c2'],
      },
    ],
    ['no models at all', [], {}],
    [
      'a file with a byte order mark',
      [`\uFEFF${JSON.stringify(model('dtmi:a;1', component('c1')))}`],
      {
        'dtmi:a;1': ['c1'],
      },
    ],
    [
      'nothing of what it does not need',
      [
        model('dtmi:a;1', [{ '@type': 'Property', name: 7, schema: 'unheard of' }, component('c1')], {
          vendor: null,
        }),
      ],
      { 'dtmi:a;1': ['c1'] },
    ],
  ])('%s', (_, files, models) => {
    expect(read(...files)).toEqual({ models, problems: [] });
  });
});

function INLINE(id: string, name: string): object {
  return { '@id': id, '@type': 'Interface', contents: [component(name)] };
}

describe('a model is refused', () => {
  test.each<[string, readonly unknown[], readonly string[]]>([
    ['that is an empty list', [[]], ['a.json is an empty list: write an interface']],
    ['that is no object', [['x']], ['a.json[0] is "x": write a DTDL interface']],
    ['that is no interface', [{ '@type': 'Telemetry' }], ['a.json.@type is "Telemetry": write "Interface"']],
    ['that does not say what it is', [{}], ['a.json.@type is missing: write "Interface"']],
    [
      'of another language',
      [model('dtmi:a;1', [], { '@context': 'dtmi:dtdl:context;1' })],
      ['a.json.@context is "dtmi:dtdl:context;1": write "dtmi:dtdl:context;2" or "dtmi:dtdl:context;3"'],
    ],
    [
      'of no language',
      [{ '@type': 'Interface', '@id': 'dtmi:a;1' }],
      ['a.json.@context is missing: write "dtmi:dtdl:context;2" or "dtmi:dtdl:context;3"'],
    ],
    [
      'without an id',
      [model(undefined)],
      ['a.json.@id is missing: write an id such as "dtmi:com:example:Thermostat;1"'],
    ],
    [
      'with an id of another kind',
      [[model('dtmi:a;1'), model('urn:a')]],
      ['a.json[1].@id is "urn:a": write an id such as "dtmi:com:example:Thermostat;1"'],
    ],
    [
      'with a component that no twin can hold',
      [model('dtmi:a;1', [component('a.b'), component(undefined), component('_')])],
      [
        'a.json.contents[0].name is "a.b": write a name of letters, digits and "_"',
        'a.json.contents[1].name is missing: write a name of letters, digits and "_"',
        'a.json.contents[2].name is "_": write a name of letters, digits and "_"',
      ],
    ],
    [
      'with a component twice',
      [model('dtmi:a;1', [component('c1'), component('c1')])],
      ['a.json.contents[1].name is "c1", which is taken: give each component its own name'],
    ],
    [
      'with a component of nothing',
      [
        model('dtmi:a;1', [
          component('c1', null),
          { '@type': 'Component', name: 'c2' },
          component('c3', 'double'),
        ]),
      ],
      [
        'a.json.contents[0].schema is null: write the id of an interface',
        'a.json.contents[1].schema is missing: write the id of an interface',
        'a.json.contents[2].schema is "double": write the id of an interface',
      ],
    ],
    [
      'with a broken interface inside',
      [model('dtmi:a;1', [component('c1', { '@type': 'Interface' })])],
      ['a.json.contents[0].schema.@id is missing: write an id such as "dtmi:com:example:Thermostat;1"'],
    ],
    [
      'with contents of another kind',
      [model('dtmi:a;1', ['c1'])],
      ['a.json.contents[0] is "c1": write an object'],
    ],
    [
      'that extends what no file defines',
      [model('dtmi:a;1', [], { extends: 'dtmi:b;1' })],
      ['a.json.extends names "dtmi:b;1", which no file in models/ defines: add its file'],
    ],
    [
      'that extends itself',
      [model('dtmi:a;1', [], { extends: 'dtmi:b;1' }), model('dtmi:b;1', [], { extends: 'dtmi:a;1' })],
      [
        'a.json.extends is a circle: "dtmi:a;1" extends itself',
        'b.json.extends is a circle: "dtmi:b;1" extends itself',
      ],
    ],
    [
      'whose id another one has',
      [model('dtmi:a;1', [component('c1')]), model('dtmi:a;1', [component('c2')])],
      [
        'b.json.@id is "dtmi:a;1", which models/a.json defines otherwise: give it another version, or remove one',
      ],
    ],
    [
      'with a key that assignments mistake',
      ['{"__proto__":{}}'],
      ['a.json holds the key "__proto__": choose another name'],
    ],
    ['that is too deep', [`${'['.repeat(80)}${']'.repeat(80)}`], ['a.json is nested deeper than 64 levels']],
  ])('%s', (_, files, problems) => {
    expect(read(...files)).toEqual({ models: {}, problems: problems.map((line) => `models/${line}`) });
  });

  test.each(['{"@id":', '', 'dtmi:a;1'])('that is no JSON: %j', (text) => {
    expect(read(text).problems).toEqual([expect.stringMatching(/^models\/a\.json is not JSON: /)]);
  });

  test('with all others where they are too large together', () => {
    const large = JSON.stringify(model('dtmi:a;1', [], { comment: 'x'.repeat(5_000_000) }));

    expect(read(large, large).problems).toEqual([
      expect.stringMatching(/^models has \d+ bytes of models: at most 8388608 are read/),
    ]);
  });
});

describe('a fleet file with models', () => {
  const FLEET = JSON.stringify({
    hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
  });
  const revisionOf = (...models: readonly object[]) => {
    const files = models.map((each, index) => ({ name: `${index}.json`, text: JSON.stringify(each) }));
    const parsed = parseFleetWithModels(FLEET, files);
    return parsed.ok ? parsed.fleet.revision : parsed.problems;
  };

  test('is another revision where the components differ, and only there', () => {
    const alone = parseFleet(FLEET);
    const one = model('dtmi:a;1', [component('c1')]);

    expect(revisionOf()).toBe(alone.ok && alone.fleet.revision);
    expect(revisionOf(model('dtmi:b;1', []))).toBe(revisionOf());
    expect(revisionOf(one)).not.toBe(revisionOf());
    expect(revisionOf({ ...one, description: 'better' }, model('dtmi:b;1', []))).toBe(revisionOf(one));
    expect(revisionOf(model('dtmi:a;1', [component('c2')]))).not.toBe(revisionOf(one));
  });

  test('has the problems of both', () => {
    const parsed = parseFleetWithModels('{"hubs":[]}', [{ name: 'a.json', text: '{' }]);
    const problems: JsonValue = parsed.ok ? [] : parsed.problems.map(({ path }) => path);

    expect(problems).toEqual(['hubs', 'models/a.json']);
  });
});
