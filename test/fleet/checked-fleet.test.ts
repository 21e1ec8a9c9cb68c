import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { checkFleet } from '../../src/fleet/file/check-fleet.ts';
import { readCheckedFleet } from '../../src/fleet/file/checked-fleet.ts';
import { type ModelFile, parseFleetWithModels } from '../../src/fleet/file/models.ts';

const BUILD = '2026-11-29T00:00:00.000Z';
const TEXT = readFileSync('fleet.json', 'utf8');
const MODEL: ModelFile = {
  name: 'controller.json',
  text: JSON.stringify({
    '@context': 'dtmi:dtdl:context;2',
    '@id': 'dtmi:com:example:Controller;1',
    '@type': 'Interface',
    contents: [{ '@type': 'Component', name: 'thermostat', schema: 'dtmi:com:example:Thermostat;1' }],
  }),
};
const EDGE = JSON.stringify({
  hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
  twins: {
    policies: [
      {
        name: 'p',
        when: "tags.site == 'ams'",
        desired: { a: { b: '=tags.c' } },
        rollout: { stages: [{ name: 'all', share: 1, over: '24h' }] },
      },
    ],
  },
  edge: {
    deployments: [{ name: 'base', modules: { sensor: { image: 'contoso.azurecr.io/sensor:1.0.3' } } }],
  },
});

const check = (text: string, files: readonly ModelFile[] = []): string =>
  checkFleet(text, files, BUILD) ?? 'problems';

/** JSON, with maps and sets as lists. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    each instanceof Map || each instanceof Set ? [...(each as Iterable<unknown>)] : each,
  );

describe('the stored result of the check of a fleet file', () => {
  test.each([
    ['of this repository', TEXT, []],
    ['with a device model', TEXT, [MODEL]],
    ['with a rollout and a deployment', EDGE, []],
  ] as const)('gives the same fleet as the check itself: %s', (_, text, files) => {
    const parsed = parseFleetWithModels(text, files);

    const read = readCheckedFleet(check(text, files), { build: BUILD, text, files });

    expect(parsed.ok ? [] : parsed.problems).toEqual([]);
    // As text, because the functions of compiled expressions are equal only to themselves.
    expect(textOf(read)).toBe(textOf(parsed));
  });

  test('is not used for another text, other models or another build', () => {
    const stored = check(TEXT, [MODEL]);

    expect(readCheckedFleet(stored, { build: BUILD, text: `${TEXT} `, files: [MODEL] })).toBeUndefined();
    expect(readCheckedFleet(stored, { build: BUILD, text: TEXT, files: [] })).toBeUndefined();
    expect(readCheckedFleet(stored, { build: `${BUILD}2`, text: TEXT, files: [MODEL] })).toBeUndefined();
    expect(readCheckedFleet('not JSON', { build: BUILD, text: TEXT, files: [MODEL] })).toBeUndefined();
  });

  test('does not exist for a file with problems', () => {
    expect(checkFleet('{"hubs":[]}', [], BUILD)).toBeUndefined();
  });
});
