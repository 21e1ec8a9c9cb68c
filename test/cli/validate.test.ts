import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Cli } from '../../src/cli/shell/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, type Flags, flags, listen } from './terminals.ts';

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('validate');
});

const file = (fleet: unknown): string => {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, typeof fleet === 'string' ? fleet : JSON.stringify(fleet));
  return path;
};
const HUBS = ['weu', 'neu'].map((name) => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  labels: { residency: 'eu' },
}));
const CALM: Flags = { registrations: '100' };
const validate = (cli: Cli, path: string, options: Flags) => berth(cli, 'validate', path, ...flags(options));

describe('berth validate', () => {
  test('prints one line for a valid file', async () => {
    const { cli, out } = listen();
    const path = file({ hubs: HUBS });

    expect(await validate(cli, path, CALM)).toBe(0);
    expect(out()).toMatch(/^\S+\.json is valid: 2 hubs, revision [0-9a-f]{12}\.\n$/);
  });

  test('lists every problem with its path, and fails', async () => {
    const { cli, out } = listen();
    const path = file({
      hubs: [
        { ...HUBS[0], tier: 'B1' },
        { ...HUBS[0], weight: 0 },
      ],
    });

    expect(await validate(cli, path, CALM)).toBe(1);
    expect(out().split('\n')).toEqual([
      'problem  hubs[0].tier is "B1": basic tiers have no device twins; write F1, S1, S2 or S3',
      'problem  hubs[1].weight is 0: write a number above 0',
      'problem  hubs[1].host is "weu.azure-devices.net", which is listed twice: remove one',
      expect.stringMatching(/is not valid: 3 problems\.$/),
      '',
    ]);
  });

  test('lists warnings, which fail only with --strict', async () => {
    const { cli, out } = listen();
    const path = file({ hubs: HUBS, allocation: { rules: [{ name: 'us', require: { residency: 'us' } }] } });

    expect(await validate(cli, path, CALM)).toBe(0);
    expect(await validate(cli, path, { ...CALM, strict: true })).toBe(1);
    expect(out()).toContain('warning  allocation.rules[0].require no hub has these labels');
  });

  test('checks the fleet file against the models next to it', async () => {
    const { cli, out } = listen();
    const own = temporaryFolder('models');
    const path = join(own, 'fleet.json');
    writeFileSync(path, JSON.stringify({ hubs: HUBS }));
    mkdirSync(join(own, 'models'));
    const write = (model: object) => writeFileSync(join(own, 'models/a.json'), JSON.stringify(model));
    const contents = [{ '@type': 'Component', name: 'thermostat1', schema: 'dtmi:com:example:Thermostat;1' }];
    const model = { '@context': 'dtmi:dtdl:context;3', '@type': 'Interface', contents };

    write({ ...model, '@id': 'dtmi:a;1' });
    expect(await validate(cli, path, CALM)).toBe(0);
    write(model);
    expect(await validate(cli, path, CALM)).toBe(1);

    const [valid, problem] = out().split('\n');
    expect(valid).toMatch(/is valid: 2 hubs, 1 model with components, revision/);
    expect(problem).toBe(
      'problem  models/a.json.@id is missing: write an id such as "dtmi:com:example:Thermostat;1"',
    );
  });

  test('prints the same problems as JSON', async () => {
    const { cli, out } = listen();

    expect(await validate(cli, file('{'), { ...CALM, json: true })).toBe(1);
    expect(JSON.parse(out())).toEqual({
      valid: false,
      problems: [{ path: '', message: expect.stringContaining('is not JSON') }],
      warnings: [],
    });
  });

  test.each([
    ['a file that does not exist', '/nowhere/fleet.json', CALM, 'BERTH_FILE_UNREADABLE'],
    [
      'a number of partitions that is not a number',
      'fleet.json',
      { ...CALM, partitions: 'many' },
      'BERTH_ARGUMENT_INVALID',
    ],
  ])('refuses %s with a code', async (_, path, options, code) => {
    await expect(validate(listen().cli, path, options)).rejects.toMatchObject({ code });
  });

  test('takes the number of partitions from the settings', async () => {
    const { cli, out } = listen({ TWIN_EVENTS_PARTITIONS: '32' });
    const policies = [{ name: 'p', desired: { a: 1 } }];

    await validate(cli, file({ hubs: HUBS, twins: { policies } }), CALM);

    expect(out()).toContain('0.55 corrections a second for each of 32 partitions');
  });
});
