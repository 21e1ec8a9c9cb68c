import { beforeAll, describe, expect, test } from '@jest/globals';
import { type BicepFile, loadBicep, type ParseBicep } from './bicep.ts';
import { problemsOf } from './checks.ts';
import { infraFiles, knownToInfra } from './infra-files.ts';

let parse: ParseBicep;
let files: ReadonlyMap<string, BicepFile>;
beforeAll(async () => {
  parse = await loadBicep();
  files = infraFiles(parse);
});

describe('infra/', () => {
  test('contains a template, its parameter files, and modules', () => {
    expect([...files.keys()]).toEqual(
      expect.arrayContaining([
        'infra/main.bicep',
        'infra/main.bicepparam',
        'infra/small.bicepparam',
        'infra/production.bicepparam',
        'infra/modules/hub.bicep',
      ]),
    );
    expect(files.size).toBeGreaterThan(20);
  });

  test('parses, and its names agree within and between the files', () => {
    expect(problemsOf(files, knownToInfra())).toEqual([]);
  });

  test('lists only resource types that the files use', () => {
    const used = new Set([...files.values()].flatMap(({ resources }) => resources.map(({ type }) => type)));

    expect([...knownToInfra().apiVersions.keys()].filter((type) => !used.has(type))).toEqual([]);
  });

  test('contains only modules that a file deploys', () => {
    const deployed = [...files.values()].flatMap(({ modules }) =>
      modules.map(({ path }) => path.split('/').at(-1)),
    );
    const modules = [...files.keys()].filter((path) => path.startsWith('infra/modules/'));

    expect(modules.filter((path) => !deployed.includes(path.split('/').at(-1)))).toEqual([]);
  });
});

/** A set of files without a fault, which each case below spoils. */
const GOOD = {
  'a/main.bicep': `
    import { kinds } from 'kinds.bicep'
    @description('Its name.')
    param name string
    @description('Its tags.')
    param tags object = {}
    @description('Its label.')
    param label string?
    var names = map([name, label], each => toLower(each))
    module hub './hub.bicep' = [for (each, index) in names: if (index >= 0) {
      name: 'hub-\${index}'
      params: {
        name: each
        kind: kinds.one
        tags: tags
      }
    }]
    @description('The id.')
    output id string = hub[0].outputs.id
  `,
  'a/hub.bicep': `
    @description('Its name.')
    param name string
    @description('Its kind.')
    param kind string
    @description('Its tags.')
    param tags object = {}
    resource hub 'Microsoft.Devices/IotHubs@2023-06-30' = {
      name: name
      kind: kind
      tags: tags
      properties: loadJsonContent('hub.json')
    }
    @description('The id.')
    output id string = hub.id
  `,
  'a/kinds.bicep': `
    @export()
    var kinds = { one: 'one' }
  `,
  'a/try.bicepparam': `
using 'main.bicep'
param name = 'contoso'
  `,
};

describe('the checks of Bicep files', () => {
  const check = (sources: Readonly<Record<string, string>>) =>
    problemsOf(
      new Map(
        Object.entries(sources).map(([path, text]) => [
          path,
          parse(text, path.endsWith('param') ? 'bicepparam' : 'bicep'),
        ]),
      ),
      {
        apiVersions: new Map([['Microsoft.Devices/IotHubs', '2023-06-30']]),
        fileExists: (path) => path === 'a/hub.json',
      },
    );

  test('the checks accept good files', () => {
    expect(check(GOOD)).toEqual([]);
  });

  test.each<[string, keyof typeof GOOD, string, string, string]>([
    ['a missing bracket', 'a/hub.bicep', "'hub.json')", "'hub.json'", 'is no Bicep'],
    ['a missing value', 'a/try.bicepparam', "= 'contoso'", '=', 'is no Bicep'],
    [
      'a name that nothing declares',
      'a/hub.bicep',
      'kind: kind',
      'kind: kin',
      'uses kin, which nothing declares',
    ],
    ['a name in a lambda', 'a/main.bicep', 'toLower(each)', 'toLower(it)', 'uses it, which nothing declares'],
    ['an unknown function', 'a/main.bicep', 'toLower(', 'toLow(', 'uses toLow, which nothing declares'],
    ['an unused parameter', 'a/hub.bicep', 'kind: kind', '', 'the parameter kind is not used'],
    ['an unused variable', 'a/main.bicep', 'in names:', 'in [name]:', 'the name names is not used'],
    [
      'a parameter without a description',
      'a/hub.bicep',
      "@description('Its kind.')",
      '',
      'kind has no description',
    ],
    [
      'an output without a description',
      'a/hub.bicep',
      "@description('The id.')",
      '',
      'id has no description',
    ],
    ['a module that does not exist', 'a/main.bicep', './hub.bicep', './hubs.bicep', 'which there is not'],
    [
      'a required parameter that is left out',
      'a/main.bicep',
      'name: each',
      '',
      'the module hub is not given name',
    ],
    [
      'an unknown parameter',
      'a/main.bicep',
      'tags: tags',
      'tag: tags',
      'is given tag, which it does not take',
    ],
    ['an unknown output', 'a/main.bicep', 'outputs.id', 'outputs.ids', 'reads hub.outputs.ids'],
    [
      'outputs of something that is not a module',
      'a/main.bicep',
      'hub[0].outputs',
      'names[0].outputs',
      'which is no module',
    ],
    [
      'an import of an unknown name',
      'a/main.bicep',
      '{ kinds }',
      '{ kinds, more }',
      'imports more, which kinds.bicep',
    ],
    [
      'a parameter file for a template that does not exist',
      'a/try.bicepparam',
      'main.bicep',
      'no.bicep',
      'is for no.bicep',
    ],
    [
      'a parameter file without a required parameter',
      'a/try.bicepparam',
      'param name',
      'param tags',
      'does not give name',
    ],
    [
      'a parameter file with an unknown parameter',
      'a/try.bicepparam',
      'param name',
      'param nam',
      'gives nam, which',
    ],
    ['an unknown resource type', 'a/hub.bicep', 'IotHubs@', 'Hubs@', 'not in the list of resource types'],
    ['another API version', 'a/hub.bicep', '2023-06-30', '2021-07-02', 'the list has 2023-06-30'],
    [
      'a file that does not exist',
      'a/hub.bicep',
      "'hub.json'",
      "'hob.json'",
      'loads hob.json, which there is not',
    ],
  ])('the checks find %s', (_, path, good, bad, problem) => {
    const spoiled = GOOD[path].replace(good, bad);

    expect(spoiled).not.toBe(GOOD[path]);
    expect(check({ ...GOOD, [path]: spoiled }).join('\n')).toContain(problem);
  });
});
