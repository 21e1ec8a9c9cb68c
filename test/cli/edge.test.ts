import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { validFleet } from '../../src/cli/shell/files.ts';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { withPackage } from '../../src/control/packages.ts';
import { withRollout } from '../../src/control/rollout-state.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { rolloutContents } from '../../src/fleet/fleet.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { HOST } from '../edge/edge-devices.ts';
import { EdgeWorld } from '../edge/edge-world.ts';
import { countAll } from '../support/count-all.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

const SECRET = 'Hunter2Hunter2';
const fileWith = (version: number, rest: object = {}) =>
  JSON.stringify({
    hubs: [{ host: HOST, region: 'westeurope', tier: 'S1' }],
    edge: {
      registries: [{ address: 'a.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }],
      deployments: [
        {
          name: 'sensor',
          modules: { sensor: { image: `a.io/sensor:${version}`, env: { KEY: 'setting:SENSOR_KEY' } } },
          routes: { toCloud: 'FROM /messages/* INTO $upstream' },
        },
        { name: 'berlin', when: "tags.site == 'ber'", modules: { logger: { image: 'a.io/logger:1' } } },
      ],
      ...rest,
    },
  });
const FLEET = validFleet(parseFleet(fileWith(1)), 'the file');

let env: Readonly<Record<string, string>>;
let state: State;
let folder: string;
beforeAll(async () => {
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
  folder = temporaryFolder('edge');
  await state.revisions.keep(FLEET.revision, fileWith(1), '2026', {});
  const world = new EdgeWorld(FLEET);
  world.settings = () => SECRET;
  world.key = await state.redactionKey.get();
  world.createDevice('gateway-1', { site: 'ams' });
  world.createDevice('gateway-2', { site: 'ber' });
  world.createDevice('gateway-3', {});
  world.createDevice('pump-1', {}, false);
  world.applyByOther('gateway-3', {
    schemaVersion: '1.1',
    modules: { other: { settings: { image: 'other:1' } } },
  });
  await world.takeEvents();
  for (const deviceId of ['gateway-1', 'gateway-2']) world.runManifest(deviceId);
  await world.takeEvents();
  await storeTwins(world, state);
}, 60_000);

/** Stores the twins of a world in the tables. */
async function storeTwins(world: EdgeWorld, { twins }: State): Promise<void> {
  for (const [key, { known }] of world.store.records) {
    const [, deviceId = '', moduleId] = key.split('|');
    const id: TwinId = { host: HOST, deviceId, moduleId };
    if (known.kind === 'snapshot')
      await twins.save(await twins.load(id), { ...known, snapshot: { ...known.snapshot, id } });
  }
}

async function run(...command: readonly string[]): Promise<{ out: string; err: string; code: number }> {
  const { cli, out, err } = listen(env);
  const code = await berth(cli, 'edge', ...command);
  return { out: out(), err: err(), code };
}
const fleetFile = (text: string): string => {
  const file = join(folder, 'new.json');
  writeFileSync(file, text);
  return file;
};

describe('berth get deployments', () => {
  test('counts the devices of each deployment as GET /api/fleet, and edge status lists the same devices', async () => {
    const { cli, out } = listen(env);
    await countAll(state, [HOST], cli.now());

    await berth(cli, 'get', 'deployments', '--json');
    const { devices, deployments } = JSON.parse(out()) as {
      readonly devices: Readonly<Record<string, number>>;
      readonly deployments: readonly {
        readonly name: string;
        readonly devices: Readonly<Record<string, number>>;
      }[];
    };

    expect(devices).toMatchObject({ running: 2, contested: 1, notMatched: 0 });
    expect(
      deployments.map(({ name, devices: { running, contested } }) => [name, running, contested]),
    ).toEqual([
      ['sensor', 2, 1],
      ['berlin', 1, 0],
    ]);
    for (const [status, number] of Object.entries(devices)) {
      const listed = JSON.parse((await run('status', '--runtime', status, '--json')).out) as {
        readonly devices: readonly unknown[];
      };
      expect([status, listed.devices.length]).toEqual([status, number]);
    }
  });

  test('shows a row for each deployment', async () => {
    const { cli, out } = listen(env);

    await berth(cli, 'get', 'deployments');

    expect(out()).toMatch(/^deployment +since +rollout +running +applied/m);
    expect(out()).toMatch(/^sensor .* 100 % +2 +0 /m);
  });
});

describe('berth edge status', () => {
  test('shows each IoT Edge device, its status and how many of its modules stand as wanted', async () => {
    const { out } = await run('status');

    expect(out).toMatch(/^gateway-1 +weu\.azure-devices\.net +inSync +.* 3 of 3/m);
    expect(out).toMatch(/^gateway-2 .* 4 of 4/m);
    expect(out).toMatch(/^gateway-3 .*contested/m);
    expect(out).not.toContain('pump-1');
  });

  test('counts the modules of a device that waits for its stage by what it keeps, and says what it waits for', async () => {
    const deployed = { AzureWebJobsStorage: await storageAccount() };
    const other = openState(deployed);
    const world = new EdgeWorld(FLEET);
    world.settings = () => SECRET;
    world.key = await other.redactionKey.get();
    world.createDevice('gateway-1', { site: 'ams' });
    await world.takeEvents();
    world.runManifest('gateway-1');
    await world.takeEvents();
    const staged = JSON.parse(fileWith(2));
    staged.edge.deployments[0].rollout = {
      stages: [
        { name: 'lab', where: "tags.ring == 'lab'" },
        { name: 'all', share: 1 },
      ],
    };
    const text = JSON.stringify(staged);
    const next = validFleet(parseFleet(text), 'the file');
    await other.revisions.keep(FLEET.revision, fileWith(1), '2026', {});
    await other.revisions.keep(next.revision, text, '2027', {});
    for (const [build, fleet] of [['2026', FLEET] as const, ['2027', next] as const]) {
      await other.control.update((row) =>
        withPackage(row, build, rolloutContents(fleet), world.now, fleet.revision),
      );
    }
    await storeTwins(world, other);
    const { cli, out } = listen(deployed);

    await berth(cli, 'edge', 'status');

    expect(out()).toMatch(
      /^gateway-1 .* inSync .* 3 of 3 +waits for the rollout of sensor: stage all of the rollout has not begun; the present stage is lab$/m,
    );

    const explained = listen(deployed);
    await berth(explained.cli, 'edge', 'explain', 'gateway-1');
    expect(explained.out()).toContain('gateway-1 on weu.azure-devices.net: inPlace\n');
    expect(explained.out()).toContain(
      'Rollout of sensor, stage all: the device keeps the earlier content, because stage all of the rollout has not begun; the present stage is lab.',
    );
    expect(explained.out()).toMatch(/^module +sensor +\S+sensor:1 /m);

    const asJson = listen(deployed);
    await berth(asJson.cli, 'edge', 'explain', 'gateway-1', '--json');
    expect(JSON.parse(asJson.out())).toMatchObject({
      rollouts: [{ policy: 'sensor', stage: 'all', gets: 'previous', until: null }],
      next: { action: 'inPlace' },
    });

    const end = { kind: 'rolledBack', author: 'ann', reason: 'broken', at: world.now } as const;
    const [sensor] = next.edge?.deployments ?? [];
    await other.control.update((row) =>
      withRollout(row, sensor?.hash ?? '', { done: [], approvals: [], accepted: [], end }, world.now),
    );
    const planned = listen(deployed);
    await berth(planned.cli, 'edge', 'plan', '--fleet', fleetFile(text));
    expect(planned.out()).toContain(
      'The rollout of this content of sensor was rolled back, so Berth gives it to no further device. Change the deployment.',
    );
  });

  test('says that Berth leaves the devices alone if the fleet file has no deployments', async () => {
    const empty = { AzureWebJobsStorage: await storageAccount() };
    const text = JSON.stringify({ hubs: [{ host: HOST, region: 'westeurope', tier: 'S1' }] });
    const { revision } = validFleet(parseFleet(text), 'the file');
    await openState(empty).revisions.keep(revision, text, '2026', {});
    const { cli, out } = listen(empty);

    await berth(cli, 'edge', 'status');

    expect(out()).toContain('has no deployments of IoT Edge');
  });

  test('has each module in its JSON', async () => {
    const { out } = await run('status', '--status', 'inSync', '--json');
    const { devices } = JSON.parse(out);

    expect(devices).toHaveLength(2);
    expect(devices[0].modules).toContainEqual(
      expect.objectContaining({ name: 'sensor', status: 'running', image: 'a.io/sensor:1' }),
    );
  });
});

describe('berth edge explain', () => {
  test('shows where each module and route comes from', async () => {
    const { out } = await run('explain', 'gateway-2');

    expect(out).toContain('gateway-2 on weu.azure-devices.net: inPlace');
    expect(out).toContain('Deployments, in their order: sensor, berlin.');
    expect(out).toMatch(/^module +logger +a\.io\/logger:1 +berlin/m);
    expect(out).toMatch(/^route +toCloud +FROM \/messages\/\* INTO \$upstream +sensor/m);
  });

  test('has the whole manifest in its JSON, with the names of settings', async () => {
    const { out } = await run('explain', 'gateway-1', '--json');

    expect(JSON.parse(out)).toMatchObject({
      provenance: { deployments: ['sensor'] },
      settings: ['ACR_PASSWORD', 'ACR_USER', 'SENSOR_KEY'],
      manifest: { modulesContent: { $edgeAgent: {} } },
    });
    expect(out).not.toContain(SECRET);
  });

  test('names a condition that is unknown for the device', async () => {
    const { out } = await run('explain', 'gateway-3');

    expect(out).toContain(
      'Deployment berlin is skipped, because its condition is unknown: the key site is missing.',
    );
  });

  test('refuses a device that is no IoT Edge device', async () => {
    await expect(run('explain', 'pump-1')).rejects.toMatchObject({ code: 'BERTH_DEVICE_UNKNOWN' });
  });
});

describe('berth edge plan', () => {
  test('shows no change for the fleet file in force', async () => {
    const { out } = await run('plan', '--fleet', fleetFile(fileWith(1)));

    expect(out).toContain('3 IoT Edge devices: 2 have it already, 1 contested.');
  });

  test('shows the change of each device, its identity operations and the time', async () => {
    const { out } = await run('plan', '--fleet', fileWithLogger());

    expect(out).toContain(
      'gateway-1 on weu.azure-devices.net: apply: the fleet file has changed (4 identity operations)',
    );
    expect(out).toContain('  ~ module sensor: image a.io/sensor:1 becomes a.io/sensor:2; env LEVEL is 3');
    expect(out).toContain('  + module watcher: image a.io/watcher:1');
    expect(out).toContain('  + route alerts: "FROM /messages/modules/sensor/* INTO $upstream"');
    expect(out).toContain('  - module logger: goes (image a.io/logger:1)');
    expect(out).toMatch(
      /weu\.azure-devices\.net: 2 applies, 8 identity operations, about .* by Berth's budget\./,
    );
    expect(out).toMatch(/gateway-3 .*: contested: .*other would go/);
  });

  test('says that it does not know the values of settings', async () => {
    const { err } = await run('plan', '--fleet', fleetFile(fileWith(1)));

    expect(err).toContain('The values of settings are not known here');
  });

  test('plans one device', async () => {
    const { out } = await run('plan', 'gateway-1', '--fleet', fileWithLogger(), '--json');

    expect(JSON.parse(out).devices).toEqual([
      expect.objectContaining({ deviceId: 'gateway-1', action: 'apply', identityOperations: 4 }),
    ]);
  });
});

const fileWithLogger = () =>
  fleetFile(
    fileWith(2, {
      deployments: [
        {
          name: 'sensor',
          modules: {
            sensor: { image: 'a.io/sensor:2', env: { KEY: 'setting:SENSOR_KEY', LEVEL: 3 } },
            watcher: { image: 'a.io/watcher:1' },
          },
          routes: {
            toCloud: 'FROM /messages/* INTO $upstream',
            alerts: 'FROM /messages/modules/sensor/* INTO $upstream',
          },
        },
      ],
    }),
  );

describe('berth edge history', () => {
  test('shows what was applied, when and why', async () => {
    const { out } = await run('history', 'gateway-1');

    expect(out).toMatch(/^2026-11-23T12:00Z +it has no manifest yet +sensor +[0-9a-f]{12} +[0-9a-f]{12}$/m);
  });

  test('says that nothing was applied', async () => {
    expect((await run('history', 'gateway-3')).out).toContain('Berth has applied no manifest to gateway-3.');
  });
});

describe('berth edge validate', () => {
  test('accepts the deployments of a valid file', async () => {
    const { out, code } = await run('validate', '--fleet', fleetFile(fileWith(1)));

    expect([code, out]).toEqual([0, expect.stringContaining('2 deployments, no problem.')]);
  });

  test('lists each problem with its path, the code and what to write, without a secret', async () => {
    const file = fleetFile(
      fileWith(1, { registries: [{ address: 'a.io', username: SECRET, password: SECRET }] }),
    );
    const { out, code } = await run('validate', '--fleet', file, '--json');

    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      valid: false,
      code: 'BERTH_FLEET_INVALID',
      problems: [{ path: 'edge.registries[0].username' }, { path: 'edge.registries[0].password' }],
    });
    expect(out).not.toContain(SECRET);
  });
});

describe('berth edge adopt', () => {
  const why = ['--reason', 'moved'] as const;

  test('shows what would go and changes nothing without --yes', async () => {
    const { out, err } = await run('adopt', 'gateway-3', ...why);

    expect(out).toContain('gateway-3 on weu.azure-devices.net: would be adopted');
    expect(out).toContain('  - module other: goes (image other:1)');
    expect(err).toContain('Nothing was changed: add --yes to adopt.');
    expect((await run('history', 'gateway-3', '--json')).out).toContain('"adoption": null');
  });

  test('refuses a device that has its manifest', async () => {
    expect((await run('adopt', 'gateway-1', ...why, '--yes')).out).toContain('needs no adoption (inPlace)');
  });

  test('adopts the contested devices that match, with author and reason', async () => {
    const { out } = await run('adopt', '--where', '!has(tags.site)', ...why, '--yes');

    expect(out).toContain('gateway-3 on weu.azure-devices.net: adopted');
    const { adoption } = JSON.parse((await run('history', 'gateway-3', '--json')).out);
    expect(adoption).toMatchObject({ reason: 'moved' });
    expect((await run('explain', 'gateway-3')).out).toContain('apply: adopted by');
  });

  test('needs a device or a condition', async () => {
    await expect(run('adopt', ...why)).rejects.toMatchObject({ code: 'BERTH_ARGUMENT_INVALID' });
  });
});

describe('berth describe device', () => {
  const describeDevice = async (...command: readonly string[]): Promise<string> => {
    const { cli, out } = listen(env);
    await berth(cli, 'describe', 'device', ...command);
    return out();
  };

  test('shows the modules of an IoT Edge device, with image and restarts', async () => {
    const out = await describeDevice('gateway-1');

    expect(out).toContain('Module $edgeAgent on weu.azure-devices.net');
    expect(out).toMatch(/sensor +running +a\.io\/sensor:1 +0/);
    expect(out).toContain('it has no manifest yet');
    expect(out).not.toContain(SECRET);
  });

  test('has the status of the device and of each module in its JSON', async () => {
    const { twins } = JSON.parse(await describeDevice('gateway-1', '--json'));
    const agent = twins.find((twin: { moduleId: string }) => twin.moduleId === '$edgeAgent');

    expect(agent.edge).toMatchObject({
      status: 'running',
      isInSync: true,
      deployments: ['sensor'],
      modules: [{ name: 'edgeAgent' }, { name: 'edgeHub' }, { name: 'sensor', status: 'running' }],
      leftovers: [],
      problems: [],
    });
  });
});
