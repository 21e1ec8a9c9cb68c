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

  test('refuses a file that is valid for Berth and that Azure would refuse, with a code', async () => {
    const { cli, out } = listen();
    const path = file({ hubs: [{ ...HUBS[0], tier: 'S3', units: 11 }, HUBS[1]] });

    expect(await validate(cli, path, CALM)).toBe(1);
    expect(await validate(cli, path, { ...CALM, json: true })).toBe(1);

    const [problem, status, ...json] = out().split('\n');
    const problems = [
      { path: 'hubs[0].units', message: 'is 11, and S3 has at most 10 units: write fewer, or add a hub' },
    ];
    expect(problem).toBe(`problem  ${problems[0]?.path} ${problems[0]?.message}`);
    expect(status).toMatch(
      /^BERTH_FLEET_NOT_DEPLOYABLE: \S+ is valid for Berth, but Azure would refuse it: 1 problem\.$/,
    );
    expect(JSON.parse(json.join('\n'))).toEqual({
      valid: false,
      code: 'BERTH_FLEET_NOT_DEPLOYABLE',
      problems,
      warnings: [],
    });
  });

  test('counts hubs and capacities for as many DPS instances as --dps says', async () => {
    const { cli, out } = listen();
    const hubs = Array.from({ length: 51 }, (_, index) => ({
      ...HUBS[0],
      host: `hub-${index}.azure-devices.net`,
    }));
    const path = file({
      hubs: [{ ...hubs[0], capacity: 1_000_000 }, { ...hubs[1], capacity: 1 }, ...hubs.slice(2)],
    });

    expect(await validate(cli, path, CALM)).toBe(1);
    expect(await validate(cli, path, { ...CALM, dps: '2', strict: true })).toBe(0);

    expect(out()).toContain('problem  hubs has 51 hubs, and one DPS links at most 50');
    expect(out()).toContain('warning  hubs has room for 1000001 devices by its capacities');
  });

  test('the committed fleet file passes --strict', async () => {
    const { cli, out } = listen({ FLEET_FILE: 'fleet.json' });

    expect(await berth(cli, 'validate', '--strict')).toBe(0);
    expect(out()).toMatch(/^fleet\.json is valid: 4 hubs, revision [0-9a-f]{12}\.\n$/);
  });

  test('adds up its warnings', async () => {
    const { cli, out } = listen();

    await validate(cli, file({ hubs: HUBS }), { registrations: '1000' });

    expect(out()).toMatch(/^warning [\s\S]*\nwarning [\s\S]*; 2 warnings\.\n$/);
  });

  test('takes the file of its argument or of --fleet, else the one of FLEET_FILE', async () => {
    const path = file({ hubs: HUBS });
    const [byOption, bySetting, byBoth] = [
      listen(),
      listen({ FLEET_FILE: path }),
      listen({ FLEET_FILE: 'nowhere.json' }),
    ];

    await berth(byOption.cli, 'validate', '--fleet', path);
    await berth(bySetting.cli, 'validate');
    await berth(byBoth.cli, 'validate', path);

    for (const { out } of [byOption, bySetting, byBoth]) expect(out()).toContain(`${path} is valid`);
    await expect(berth(listen().cli, 'validate', path, '--fleet', path)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
    });
  });

  test('shows the place of a problem in an expression below the problem', async () => {
    const { cli, out } = listen();
    const rules = [{ name: 'r', when: "paylod.a == 'x'", deny: 'no' }];

    await validate(cli, file({ hubs: HUBS, allocation: { rules } }), CALM);

    expect(out().split('\n').slice(0, 3)).toEqual([
      expect.stringMatching(/^problem {2}allocation\.rules\[0\]\.when is not .*Did you mean "payload"\?/),
      "         paylod.a == 'x'",
      '         ^',
    ]);
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
