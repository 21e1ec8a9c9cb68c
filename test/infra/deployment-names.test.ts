import { beforeAll, expect, test } from '@jest/globals';
import { describeBicep, templateOf } from './bicep.ts';

/** Most characters of the name of a deployment ("Naming rules and restrictions for Azure resources"). Each module is one. */
const LONGEST_NAME = 64;

/** What the names of modules are made of, each with its longest value. */
const LONGEST: readonly (readonly [argument: RegExp, value: string])[] = [
  // Names of hubs have 3 to 50 characters, those of stamps 1 to 12. uniqueString() has 13.
  [
    /(parameters\('hubs?'\)|variables\('allHubs'\)|lambdaVariables\('hub'\)\.isExisting\)\)\)).*\.name$/,
    'h'.repeat(50),
  ],
  [/^parameters\('stamps?'\)(\[copyIndex\(\)\])?\.name$|^parameters\('stampName'\)$/, 's'.repeat(12)],
  [/^parameters\('allocatorLocations'\)\[copyIndex\(\)\]$|^parameters\('location'\)$/, 'australiasoutheast'],
  [/^parameters\('suffix'\)$/, `alloc-australiasoutheast-${'t'.repeat(13)}`],
  [/^variables\('eventHubMetrics'\)\[copyIndex\(\)\]\.key$/, 'events-throttled'],
];

/** A name of a template with its longest value: `[format('hub-{0}', parameters('hub').name)]`. */
function longest(name: string): string {
  if (!name.startsWith('[')) return name;
  const [, template = '', rest = ''] = /^\[format\('([^']*)', (.*)\)\]$/.exec(name) ?? [];
  const values = rest.split(/, (?=parameters|variables)/).map((argument) => {
    const value = LONGEST.find(([pattern]) => pattern.test(argument))?.[1];
    if (value === undefined)
      throw new Error(`This test does not know how long ${argument} of ${name} can be`);
    return value;
  });
  if (template === '') throw new Error(`This test does not know how long ${name} can be`);
  return template.replace(/\{(\d)\}/g, (_, index) => values[Number(index)] ?? '');
}

/** The names of all deployments in a template, of any depth. */
function namesIn(json: unknown): readonly string[] {
  if (typeof json !== 'object' || json === null) return [];
  const { type, name } = json as { readonly type?: unknown; readonly name?: unknown };
  const own = type === 'Microsoft.Resources/deployments' ? [String(name)] : [];
  return [...own, ...Object.values(json).flatMap(namesIn)];
}

describeBicep('the names of deployments', () => {
  let names: readonly string[];
  beforeAll(async () => {
    names = namesIn(await templateOf('infra/main.bicep'));
  });

  test('have at most 64 characters, also for the longest names of hubs, stamps and regions', () => {
    const long = names.map(longest).filter(({ length }) => length > LONGEST_NAME);

    expect(names.length).toBeGreaterThan(40);
    expect(long).toEqual([]);
  });

  test('hold the whole name of a hub, so that two hubs never share one', () => {
    const ofHubs = names.map(longest).filter((name) => name.includes('hhh'));

    expect(ofHubs.length).toBeGreaterThan(5);
    expect(ofHubs.filter((name) => !name.endsWith('h'.repeat(50)))).toEqual([]);
  });

  test('differ from each other whatever the name of a hub is', () => {
    // A hub may have any name, such as alerts-main. So no other name begins like that of a module for each hub.
    const all = names.map(longest);
    const prefixes = new Set(all.filter((name) => name.includes('hhh')).map((name) => name.split('hhh')[0]));

    for (const prefix of prefixes) {
      const alike = all.filter((name) => name.startsWith(prefix ?? '') && !name.includes('hhh'));
      expect([prefix, alike]).toEqual([prefix, []]);
    }
    const ofHubs = all.filter((name) => name.includes('hhh'));
    expect(new Set(ofHubs).size).toBe(ofHubs.length);
  });
});
