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

  test('give the components of the controller and none for the thermostat', () => {
    expect(readModels(files)).toEqual({
      models: { [CONTROLLER]: ['deviceInformation', 'thermostat1', 'thermostat2'] },
      problems: [],
    });
  });

  test('are none when the folder does not exist', () => {
    expect(readModelFiles('/nowhere/fleet.json')).toEqual([]);
  });
});

describe('the DTDL reader', () => {
  test.each<[string, readonly unknown[], Readonly<Record<string, readonly string[]>>]>([
    [
      'version 2 of DTDL',
      [{ ...model('dtmi:a;1', [component('c1')]), '@context': 'dtmi:dtdl:context;2' }],
      { 'dtmi:a;1': ['c1'] },
    ],
    ['version 3 of DTDL', [model('dtmi:a;1', [component('c1')])], { 'dtmi:a;1': ['c1'] }],
    [
      'language extensions next to DTDL',
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
    ['a single content that is not in a list', [model('dtmi:a;1', component('c1'))], { 'dtmi:a;1': ['c1'] }],
    [
      'a component with additional types',
      [model('dtmi:a;1', [{ ...component('c1'), '@type': ['Component', 'X'] }])],
      {
        'dtmi:a;1': ['c1'],
      },
    ],
    [
      'a component whose interface is written inline',
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
      'an interface that extends one in any file',
      [model('dtmi:a;1', [component('c2')], { extends: 'dtmi:b;1' }), model('dtmi:b;1', [component('c1')])],
      { 'dtmi:a;1': ['c1', 'c2'], 'dtmi:b;1': ['c1'] },
    ],
    [
      'an interface that extends others over several levels and more than once',
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
      'an interface that extends one written inline',
      [model('dtmi:a;1', [component('c2')], { extends: [INLINE('dtmi:b;1', 'c1')] })],
      { 'dtmi:a;1': ['c1', 'c2'], 'dtmi:b;1': ['c1'] },
    ],
    [
      'the same interface in two files',
      [[model('dtmi:a;1', [component('c1')]), model('dtmi:b;1')], model('dtmi:a;1', [component('c1')])],
      { 'dtmi:a;1': ['c1'] },
    ],
    [
      'an id without a version and an id with a two-part version',
      [model('dtmi:a', component('c1')), model('dtmi:a;1.2', component('c2'))],
      {
        'dtmi:a': ['c1'],
        'dtmi:a;1.2': ['c2'],
      },
    ],
    ['an empty set of models', [], {}],
    [
      'a file with a byte order mark',
      [`\uFEFF${JSON.stringify(model('dtmi:a;1', component('c1')))}`],
      {
        'dtmi:a;1': ['c1'],
      },
    ],
    [
      'content that it does not need, and ignores it',
      [
        model('dtmi:a;1', [{ '@type': 'Property', name: 7, schema: 'unheard of' }, component('c1')], {
          vendor: null,
        }),
      ],
      { 'dtmi:a;1': ['c1'] },
    ],
  ])('accepts %s', (_, files, models) => {
    expect(read(...files)).toEqual({ models, problems: [] });
  });
});

function INLINE(id: string, name: string): object {
  return { '@id': id, '@type': 'Interface', contents: [component(name)] };
}

describe('an invalid model', () => {
  test.each<[string, readonly unknown[], readonly string[]]>([
    ['an empty list', [[]], ['a.json is an empty list: write an interface']],
    ['a value that is not an object', [['x']], ['a.json[0] is "x": write a DTDL interface']],
    [
      'a type that is not an interface',
      [{ '@type': 'Telemetry' }],
      ['a.json.@type is "Telemetry": write "Interface"'],
    ],
    ['a model without a type', [{}], ['a.json.@type is missing: write "Interface"']],
    [
      'a model in another language',
      [model('dtmi:a;1', [], { '@context': 'dtmi:dtdl:context;1' })],
      ['a.json.@context is "dtmi:dtdl:context;1": write "dtmi:dtdl:context;2" or "dtmi:dtdl:context;3"'],
    ],
    [
      'a model without a language',
      [{ '@type': 'Interface', '@id': 'dtmi:a;1' }],
      ['a.json.@context is missing: write "dtmi:dtdl:context;2" or "dtmi:dtdl:context;3"'],
    ],
    [
      'a model without an id',
      [model(undefined)],
      ['a.json.@id is missing: write an id such as "dtmi:com:example:Thermostat;1"'],
    ],
    [
      'a model with an id of another form',
      [[model('dtmi:a;1'), model('urn:a')]],
      ['a.json[1].@id is "urn:a": write an id such as "dtmi:com:example:Thermostat;1"'],
    ],
    [
      'a component name that no twin can hold',
      [model('dtmi:a;1', [component('a.b'), component(undefined), component('_')])],
      [
        'a.json.contents[0].name is "a.b": write a name of letters, digits and "_"',
        'a.json.contents[1].name is missing: write a name of letters, digits and "_"',
        'a.json.contents[2].name is "_": write a name of letters, digits and "_"',
      ],
    ],
    [
      'a component that occurs twice',
      [model('dtmi:a;1', [component('c1'), component('c1')])],
      ['a.json.contents[1].name is "c1", which is already used: give each component its own name'],
    ],
    [
      'a component without an interface',
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
      'an invalid inline interface',
      [model('dtmi:a;1', [component('c1', { '@type': 'Interface' })])],
      ['a.json.contents[0].schema.@id is missing: write an id such as "dtmi:com:example:Thermostat;1"'],
    ],
    [
      'contents that are not a list',
      [model('dtmi:a;1', ['c1'])],
      ['a.json.contents[0] is "c1": write an object'],
    ],
    [
      'an interface that extends one which no file defines',
      [model('dtmi:a;1', [], { extends: 'dtmi:b;1' })],
      ['a.json.extends names "dtmi:b;1", which no file in models/ defines: add its file'],
    ],
    [
      'an interface that extends itself',
      [model('dtmi:a;1', [], { extends: 'dtmi:b;1' }), model('dtmi:b;1', [], { extends: 'dtmi:a;1' })],
      [
        'a.json.extends is circular: "dtmi:a;1" extends itself. Remove one of the references',
        'b.json.extends is circular: "dtmi:b;1" extends itself. Remove one of the references',
      ],
    ],
    [
      'two interfaces with the same id',
      [model('dtmi:a;1', [component('c1')]), model('dtmi:a;1', [component('c2')])],
      [
        'b.json.@id is "dtmi:a;1", which models/a.json defines differently: give it another version, or remove one',
      ],
    ],
    [
      'a key that could change a prototype',
      ['{"__proto__":{}}'],
      ['a.json contains the key "__proto__": use another name'],
    ],
    [
      'a model that is nested too deep',
      [`${'['.repeat(80)}${']'.repeat(80)}`],
      ['a.json is nested deeper than 64 levels'],
    ],
  ])('is refused: %s', (_, files, problems) => {
    expect(read(...files)).toEqual({ models: {}, problems: problems.map((line) => `models/${line}`) });
  });

  test.each(['{"@id":', '', 'dtmi:a;1'])('is refused when it is not JSON: %j', (text) => {
    expect(read(text).problems).toEqual([expect.stringMatching(/^models\/a\.json is not JSON: /)]);
  });

  test('is refused with all others when all models together are too large', () => {
    const large = JSON.stringify(model('dtmi:a;1', [], { comment: 'x'.repeat(5_000_000) }));

    expect(read(large, large).problems).toEqual([
      expect.stringMatching(/^models has \d+ bytes of models, more than 8388608/),
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

  test('has another revision only if the components differ', () => {
    const alone = parseFleet(FLEET);
    const one = model('dtmi:a;1', [component('c1')]);

    expect(revisionOf()).toBe(alone.ok && alone.fleet.revision);
    expect(revisionOf(model('dtmi:b;1', []))).toBe(revisionOf());
    expect(revisionOf(one)).not.toBe(revisionOf());
    expect(revisionOf({ ...one, description: 'better' }, model('dtmi:b;1', []))).toBe(revisionOf(one));
    expect(revisionOf(model('dtmi:a;1', [component('c2')]))).not.toBe(revisionOf(one));
  });

  test('reports the problems of the file and of the models', () => {
    const parsed = parseFleetWithModels('{"hubs":[]}', [{ name: 'a.json', text: '{' }]);
    const problems: JsonValue = parsed.ok ? [] : parsed.problems.map(({ path }) => path);

    expect(problems).toEqual(['hubs', 'models/a.json']);
  });
});
