import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createArm } from '../../local/arm/resources.ts';
import { createDps } from '../../local/dps/index.ts';
import { startHttp } from '../../local/https/index.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { isObject, ownMember } from '../../src/json/json.ts';
import { systemTime } from '../../src/time/epoch-ms.ts';
import { SERVICE_HOST } from '../local/dps/local-dps.ts';
import { EUS, WEU } from '../local/iot-hub/local-hubs.ts';
import { answered, goldenAnswer } from '../support/arm/answers.ts';
import { type FakeArm, startFakeArm } from '../support/arm/fake-arm.ts';
import { projectFiles } from '../support/project-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

let projectFile: string;
beforeAll(() => {
  projectFile = join(temporaryFolder('project-files'), 'project.json');
  writeFileSync(projectFile, JSON.stringify(projectFiles()));
});

let folder: string;
let closers: (() => void | Promise<void>)[];
beforeEach(() => {
  folder = realpathSync(temporaryFolder('init'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers) await close();
});

const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const json = (file: string) => JSON.parse(read(file));

async function init(origin: string, ...more: readonly string[]) {
  const { cli, out, err } = listen({ IOT_ENDPOINT: origin }, systemTime);
  try {
    const code = await berth({ ...cli, projectFile }, 'init', folder, '--from-azure', ...more);
    return { code, out: out(), err: err(), failure: undefined };
  } catch (failure) {
    return { code: undefined, out: out(), err: err(), failure };
  }
}

/** What `berth validate --strict` says of the written file. */
async function strict() {
  const { cli, out } = listen();
  const code = await berth(cli, 'validate', '--strict', join(folder, 'fleet.json'));
  return { code, out: out() };
}

/** The local DPS with an enrollment, and the local Azure Resource Manager. */
async function startLocal(): Promise<string> {
  const hubs = [
    { host: WEU, region: 'westeurope', tier: 'S1', units: 1 },
    { host: EUS, region: 'eastus', tier: 'S2', units: 3 },
  ];
  const dps = createDps({
    idScope: '0ne00000001',
    serviceHost: SERVICE_HOST,
    enrollments: [
      {
        enrollmentGroupId: 'fleet',
        attestation: {
          type: 'symmetricKey',
          primaryKey: 'a2V5LW9uZS1rZXktb25lLWtleQ==',
          secondaryKey: 'a2V5LXR3by1rZXktdHdvLWtleQ==',
        },
        allocationPolicy: 'geoLatency',
      },
    ],
    linkedHubs: hubs,
    hub: () => undefined,
  });
  const arm = createArm({ hubs, links: hubs, idScope: '0ne00000001' });
  const services = [dps.https, dps.service, dps.management, arm];
  const http = await startHttp({ port: 0, services, ownPorts: () => [] });
  closers.push(
    () => http.close(),
    () => dps.close(),
  );
  return `http://127.0.0.1:${http.port}`;
}

describe('berth init --from-azure with the local services', () => {
  test('writes the linked hubs and the enrollments, and a fleet file without a problem or a warning', async () => {
    const { code, out, failure } = await init(await startLocal());

    expect([code, failure]).toEqual([0, undefined]);
    const azure = { subscription: '00000000-0000-0000-0000-000000000000', resourceGroup: 'local' };
    expect(json('fleet.json').hubs).toEqual([
      { host: WEU, region: 'westeurope', tier: 'S1', azure },
      { host: EUS, region: 'eastus', tier: 'S2', units: 3, azure },
    ]);
    expect(json('enrollments.json').groups).toEqual([
      { id: 'fleet', attestation: { type: 'symmetricKey' }, allocationPolicy: 'geoLatency' },
    ]);
    expect(read('enrollments.json')).not.toContain('a2V5');
    expect(out).toContain('with 2 hubs and 1 enrollment of the DPS contoso-dps');
    expect(await strict()).toMatchObject({ code: 0 });
    expect(out).toContain(`berth validate says:\n${join(folder, 'fleet.json')} is valid: 2 hubs`);
  });

  test('writes parameters that name the DPS as existing, and reads the hubs from the fleet file', async () => {
    await init(await startLocal());

    for (const file of ['infra/main.bicepparam', 'infra/production.bicepparam']) {
      expect(read(file)).toContain("param existingDps = {\n  name: 'contoso-dps'\n");
      expect(read(file)).toContain("param hubs = loadJsonContent('../fleet.json').hubs");
      expect(read(file)).toMatch(/^using '\.\.\/node_modules\/@your-org\/berth\/infra\/main\.bicep'$/m);
    }
    expect(existsSync(join(folder, 'infra/fleet.production.json'))).toBe(false);
  });

  test('overwrites nothing, and then asks nothing', async () => {
    writeFileSync(join(folder, 'fleet.json'), 'mine');

    expect((await init('http://127.0.0.1:9')).failure).toMatchObject({ code: 'BERTH_PROJECT_EXISTS' });
    expect(readdirSync(folder)).toEqual(['fleet.json']);
  });
});

describe('berth init --from-azure with the golden answers of Azure', () => {
  let arm: FakeArm;
  beforeEach(async () => {
    arm = await startFakeArm('hub-managed', 'hub-existing', 'dps-existing');
    arm.enrollments = { groups: goldenAnswer('enrollment-groups').body, individuals: [] };
    closers.push(() => arm.close());
  });
  const change = (id: string, properties: JsonObject, more: JsonObject = {}) => {
    const found = arm.resource(id) ?? {};
    const present = isObject(found.properties) ? found.properties : {};
    arm.put({ ...found, ...more, properties: { ...present, ...properties } });
  };
  const HUB = String(answered('hub-existing').id);
  const DPS = String(answered('dps-existing').id);

  test('writes the hubs of the links as Azure has them, and names the link that cannot be read', async () => {
    const { out, failure } = await init(arm.origin);

    expect(failure).toBeUndefined();
    expect(json('fleet.json').hubs).toEqual([
      {
        host: 'contoso-plant.azure-devices.net',
        region: 'westeurope',
        tier: 'S2',
        units: 3,
        azure: { subscription: '00000000-0000-0000-0000-000000000000', resourceGroup: 'plant' },
      },
    ]);
    expect(out).toContain('contoso-old.azure-devices.net is linked, and this sign-in cannot read it');
    expect(await strict()).toMatchObject({ code: 0 });
  });

  test('writes nothing for a DPS that is linked with hubs of basic tiers only, which have no twins', async () => {
    change(HUB, {}, { sku: { name: 'B1', capacity: 1 } });

    const { failure } = await init(arm.origin);

    expect(failure).toMatchObject({
      code: 'BERTH_AZURE_NOT_FOUND',
      message: expect.stringContaining('contoso-plant.azure-devices.net has the tier B1'),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('takes both names of one hub as one hub', async () => {
    const links = ownMember(answered('dps-existing').properties, 'iotHubs') as readonly JsonObject[];
    change(DPS, {
      iotHubs: [links[0] ?? {}, { ...links[0], name: 'contoso-plant.device.azure-devices.net' }],
    });

    await init(arm.origin);

    expect(json('fleet.json').hubs).toHaveLength(1);
  });

  test('asks which DPS where there are several, and names those that there are', async () => {
    arm.put({ ...answered('dps-managed') });

    expect((await init(arm.origin)).failure).toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(/has 2 DPS: choose one with --dps, one of .*contoso-dps/),
    });
    expect((await init(arm.origin, '--dps', 'nix')).failure).toMatchObject({
      message: expect.stringContaining('--dps is "nix"'),
    });
    expect((await init(arm.origin, '--dps', 'Contoso-DPS')).failure).toBeUndefined();
  });

  test('writes nothing to Azure', async () => {
    await init(arm.origin);

    expect(arm.requests.filter((each) => !each.startsWith('GET') && !each.includes('/query'))).toEqual([]);
  });

  test('gives the notes and what validate says as JSON', async () => {
    const { out } = await init(arm.origin, '--json');

    expect(JSON.parse(out)).toMatchObject({
      notes: [{ path: 'contoso-old.azure-devices.net' }, { path: expect.stringContaining('HttpTrigger1') }],
      fleet: { valid: true, problems: [], warnings: [] },
    });
  });
});

test('--dps without --from-azure is refused', async () => {
  await expect(berth({ ...listen().cli, projectFile }, 'init', folder, '--dps', 'x')).rejects.toMatchObject({
    code: 'BERTH_ARGUMENT_INVALID',
  });
});
