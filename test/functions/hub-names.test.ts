import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpRequest, InvocationContext } from '@azure/functions';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import { readReceipt } from '../../src/allocation/receipt/stored-receipt.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { explainAllocation } from '../../src/functions/explain-allocation.ts';
import type { HttpHandler } from '../../src/functions/http-answer.ts';
import { Instance } from '../../src/instance/instance.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SHORT = ['weu', 'neu', 'eus', 'sea'];
const classic = (cloud = 'net') => SHORT.map((name) => `${name}.azure-devices.${cloud}`);
const device = (cloud = 'net') => SHORT.map((name) => `${name}.device.azure-devices.${cloud}`);
const service = SHORT.map((name) => `${name}.service.azure-devices.net`);

const fleetOf = (hosts: readonly string[]) => ({
  hubs: hosts.map((host, index) => ({
    host,
    region: ['westeurope', 'northeurope', 'eastus', 'southeastasia'][index],
    tier: 'S1',
    weight: index + 1,
    labels: { residency: index < 2 ? 'eu' : 'world' },
  })),
  allocation: {
    latency: { halfLifeMs: 25 },
    sticky: { moveWhenFasterByMs: 40 },
    rules: [
      { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } },
      { name: 'lab', when: "registrationId.startsWith('lab')", hub: 'eus.device.azure-devices.net' },
    ],
  },
  twins: { initial: [{ name: 'base', tags: { hub: '=hub.host', was: '=current.hub' } }] },
});

/** Its tables cannot be reached: allocation goes by the fleet file alone. */
function instanceOf(fleet: object): Instance {
  const folder = temporaryFolder('app');
  writeFileSync(join(folder, 'fleet.json'), JSON.stringify(fleet));
  return new Instance({
    env: {
      AzureWebJobsStorage:
        'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;',
    },
    directory: folder,
    build: '2026-11-23T00:00:00Z',
    log: () => {},
  });
}

interface Answer {
  readonly status: number | undefined;
  readonly body: {
    readonly iotHubHostName?: string;
    readonly initialTwin?: { readonly tags: JsonObject };
    readonly error?: { readonly code: string; readonly message: string };
  };
  /** Everything that was logged. */
  readonly log: string;
}

async function call(handler: HttpHandler, body: unknown): Promise<Answer> {
  const lines: string[] = [];
  const context = new InvocationContext({
    functionName: 'test',
    logHandler: (_level, ...args) => void lines.push(args.join(' ')),
  });
  const request = new HttpRequest({
    method: 'POST',
    url: 'http://localhost/api/test',
    body: { bytes: Buffer.from(JSON.stringify(body)) },
  });
  const response = await handler(request, context);
  return {
    status: response.status,
    body: JSON.parse(String(response.body)) as Answer['body'],
    log: lines.join('\n'),
  };
}

interface Registering {
  readonly id?: string;
  readonly linkedHubs: readonly unknown[];
  readonly current?: string | undefined;
  readonly group?: object;
  readonly context?: object;
}

const requestOf = ({ id = 'pump', linkedHubs, current, group, context }: Registering) => ({
  enrollmentGroup: { ...CAPTURED.enrollmentGroup, iotHubs: undefined, ...group },
  deviceRuntimeContext: {
    registrationId: id,
    symmetricKey: {},
    ...(current === undefined ? {} : { currentIotHubHostName: current, currentDeviceId: id }),
    payload: {
      country: 'US',
      latency: { 'WEU.service.azure-devices.net': 9, 'eus.device.azure-devices.net': 80 },
    },
    ...context,
  },
  linkedHubs,
});
const register = (instance: Instance, registering: Registering) =>
  call(allocateDevice(instance), requestOf(registering));

const sorted = (texts: readonly unknown[]) => [...texts].map(String).sort();
const shortOf = (host = '') => host.toLowerCase().split('.')[0];
function receiptIn(log: string) {
  const line = log.split('\n').find((each) => each.includes('"receipt"')) ?? '{}';
  const receipt = readReceipt((JSON.parse(line) as { readonly receipt?: unknown }).receipt);
  if (receipt === undefined) throw new Error(`no receipt in ${log}`);
  return receipt;
}

let instance: Instance;
beforeAll(() => {
  instance = instanceOf(fleetOf(classic()));
});

describe('a hub with several host names', () => {
  test('keeps all of 1,000 devices while its links change from classic to device names', async () => {
    const steps = [classic(), [...classic(), ...device()], device()];
    const moved: string[] = [];
    const counts = new Map<string | undefined, number>();

    for (let index = 0; index < 1_000; index += 1) {
      const id = `device-${index}`;
      let current: string | undefined;
      for (const linkedHubs of steps) {
        const { body } = await register(instance, { id, linkedHubs, current });
        const hub = body.iotHubHostName ?? '';
        if (!linkedHubs.includes(hub)) moved.push(`${id} was given ${hub}, which was not offered`);
        if (current !== undefined && shortOf(hub) !== shortOf(current)) moved.push(`${id} went to ${hub}`);
        // While both names are linked, a device keeps the one that it has.
        if (linkedHubs.length === 8 && hub !== current) moved.push(`${id} was renamed to ${hub}`);
        current = hub;
      }
      counts.set(shortOf(current), (counts.get(shortOf(current)) ?? 0) + 1);
    }

    expect(moved).toEqual([]);
    expect(sorted([...counts.keys()])).toEqual(sorted(SHORT));
  });

  test('gets the same devices for each linked name and each name in the fleet file', async () => {
    const others = [instanceOf(fleetOf(device())), instanceOf(fleetOf(service))];
    const links = [
      classic(),
      device(),
      [...device(), ...classic()],
      classic().map((host) => host.toUpperCase()),
    ];
    for (let index = 0; index < 200; index += 1) {
      const id = `device-${index}`;
      const hubs = await Promise.all(
        [instance, ...others].flatMap((each) =>
          links.map(async (linkedHubs) => (await register(each, { id, linkedHubs })).body.iotHubHostName),
        ),
      );

      expect(new Set(hubs.map((hub) => shortOf(hub)))).toHaveProperty('size', 1);
    }
  });

  const [WEU = '', , EUS = ''] = classic();
  const [WEU_DEVICE = ''] = device();
  test.each<[string, Registering, string]>([
    [
      'a new device gets the device name when both names are linked',
      { linkedHubs: [WEU, WEU_DEVICE] },
      WEU_DEVICE,
    ],
    [
      'a new device gets the device name for any order of the links',
      { linkedHubs: [WEU_DEVICE, WEU] },
      WEU_DEVICE,
    ],
    ['a new device gets the classic name when only that name is linked', { linkedHubs: [WEU] }, WEU],
    ['a device that stays keeps the classic name', { linkedHubs: [WEU_DEVICE, WEU], current: WEU }, WEU],
    [
      'a device that stays keeps the classic name in any case',
      { linkedHubs: [WEU_DEVICE, WEU], current: WEU.toUpperCase() },
      WEU,
    ],
    [
      'a device that stays keeps the device name',
      { linkedHubs: [WEU, WEU_DEVICE], current: WEU_DEVICE },
      WEU_DEVICE,
    ],
    [
      'a device that stays gets the classic name when only that name is linked',
      { linkedHubs: [WEU], current: WEU_DEVICE },
      WEU,
    ],
    [
      'a device that stays gets the device name when only that name is linked',
      { linkedHubs: [WEU_DEVICE], current: WEU },
      WEU_DEVICE,
    ],
    [
      'the answer has the spelling of the linked hub',
      { linkedHubs: ['WEU.Device.azure-devices.net'] },
      'WEU.Device.azure-devices.net',
    ],
    [
      'a hub that is linked by its service name is the same hub',
      { linkedHubs: ['weu.service.azure-devices.net'] },
      'weu.service.azure-devices.net',
    ],
    [
      'a name for devices comes before the service name',
      { linkedHubs: ['weu.service.azure-devices.net', WEU] },
      WEU,
    ],
    [
      'an enrollment may select the hub by another name',
      { linkedHubs: [...device()], group: { iotHubs: [WEU] } },
      WEU_DEVICE,
    ],
    [
      'an enrollment that never reprovisions keeps the name too',
      {
        linkedHubs: [WEU, WEU_DEVICE],
        current: WEU,
        group: { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } },
      },
      WEU,
    ],
    ['a hub rule may use another name of the hub', { id: 'lab-1', linkedHubs: [WEU, EUS] }, EUS],
    ['empty texts in the list of linked hubs count as absent', { linkedHubs: ['', null, ' ', WEU] }, WEU],
    ['an empty current hub counts as absent', { linkedHubs: [WEU], current: '' }, WEU],
    ['an empty selection of hubs counts as absent', { linkedHubs: [WEU], group: { iotHubs: [''] } }, WEU],
  ])('%s', async (_, registering, answer) => {
    const { status, body, log } = await register(instance, registering);

    expect({ status, hub: body.iotHubHostName }).toEqual({ status: 200, hub: answer });
    const receipt = receiptIn(log);
    expect(recompute(receipt, instance.fleet.current())).toMatchObject({ differences: [], notKept: [] });
    expect(receipt.hubs.map(({ host }) => host)).toHaveLength(
      new Set(receipt.hubs.map(({ host }) => host)).size,
    );
  });

  test('is one candidate under its classic name, and a latency that is measured to any of its names counts', async () => {
    const { body, log } = await register(instance, {
      linkedHubs: [WEU, EUS, WEU_DEVICE],
      current: WEU_DEVICE,
    });

    const receipt = receiptIn(log);
    expect(Object.fromEntries(receipt.hubs.map(({ host, latencyMs }) => [host, latencyMs]))).toEqual({
      [WEU]: 9,
      [EUS]: 80,
    });
    expect(receipt.hubs).toHaveLength(2);
    expect(receipt.inputs).toMatchObject({ linkedHubs: [WEU_DEVICE, WEU, EUS], currentHub: WEU_DEVICE });
    expect(receipt.result).toMatchObject({ how: 'stayed', hub: WEU_DEVICE, host: WEU });
    expect(body.initialTwin?.tags).toEqual({ hub: WEU, was: WEU });
  });

  test.each(['cn', 'us'])(
    'has its names in the cloud .%s too and is not the same as a hub in another cloud',
    async (cloud) => {
      const other = instanceOf(fleetOf(classic(cloud)));
      const [classicName = ''] = classic(cloud);
      const [deviceName = ''] = device(cloud);

      const stays = await register(other, { linkedHubs: [classicName, deviceName], current: deviceName });
      const elsewhere = await register(other, { linkedHubs: [WEU, WEU_DEVICE] });

      expect(stays.body.iotHubHostName).toBe(deviceName);
      expect(elsewhere.body.error).toMatchObject({
        code: 'BERTH_NO_HUB_QUALIFIES',
        message: 'No linked hub qualifies for this device: weu.azure-devices.net (not in the fleet file).',
      });
    },
  );

  test('in an unknown cloud is an unknown hub', async () => {
    const { body } = await register(instance, { linkedHubs: ['weu.device.azure-devices.de'] });

    expect(body.error?.message).toBe(
      'No linked hub qualifies for this device: weu.device.azure-devices.de (not in the fleet file).',
    );
  });
});

describe('an empty text in a request', () => {
  test('counts as an absent id', async () => {
    const { status, log } = await call(allocateDevice(instance), {
      individualEnrollment: {
        registrationId: '',
        deviceId: '',
        attestation: '',
        iotHubs: '',
        initialTwin: '',
      },
      enrollmentGroup: '',
      deviceRuntimeContext: {
        registrationId: 'pump',
        currentIotHubHostName: '',
        currentDeviceId: '',
        x509: '',
        tpm: '',
        payload: '',
      },
      linkedHubs: classic(),
    });

    expect(status).toBe(200);
    const { inputs } = receiptIn(log);
    expect(inputs).toMatchObject({ attestation: 'unknown', enrollment: { kind: 'individual', iotHubs: [] } });
    expect(Object.keys(inputs)).not.toContain('currentHub');
    expect(Object.keys(inputs)).not.toContain('deviceId');
    expect(Object.keys(inputs.enrollment)).not.toContain('id');
  });

  test('does not count as a registration id or as a linked hub', async () => {
    const noId = await register(instance, { id: '', linkedHubs: classic() });
    const noHub = await register(instance, { linkedHubs: ['', ' '] });

    expect(noId.body.error?.message).toContain('deviceRuntimeContext.registrationId must be a string');
    expect(noHub.body.error?.message).toContain('linkedHubs must contain the host name of a hub');
  });
});

describe('a secret in the wrong field', () => {
  const SECRET =
    'HostName=weu.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=cGxhbnRlZA==';
  const planted = (where: Partial<Registering>): Registering => ({ linkedHubs: classic(), ...where });

  test.each<[string, Registering]>([
    ['in linkedHubs', planted({ linkedHubs: [SECRET, ...classic()] })],
    ['long and twice in linkedHubs', planted({ linkedHubs: [SECRET.repeat(9), SECRET, ...classic()] })],
    ['the current hub', planted({ current: SECRET })],
    ['the current hub and in linkedHubs', planted({ current: SECRET, linkedHubs: [SECRET, ...classic()] })],
    [
      'the current device id',
      planted({ current: 'weu.azure-devices.net', context: { currentDeviceId: SECRET } }),
    ],
    ['the id of the enrollment', planted({ group: { enrollmentGroupId: SECRET } })],
    ['in the hubs of the enrollment', planted({ group: { iotHubs: [...classic(), SECRET] } })],
    [
      'in fields that Berth does not read',
      planted({ group: { iotHubHostName: SECRET, etag: SECRET }, context: { sas: SECRET } }),
    ],
    [
      'in the names of latencies',
      planted({ context: { payload: { country: 'US', latency: { [SECRET]: 5 } } } }),
    ],
  ])('is not stored, logged or answered when it is %s', async (_, registering) => {
    const { status, body, log } = await register(instance, registering);
    const explained = await call(explainAllocation(instance), requestOf(registering));

    expect(status).toBe(200);
    expect(classic()).toContain(body.iotHubHostName);
    for (const text of [JSON.stringify(body), log, JSON.stringify(explained.body)]) {
      expect(text).not.toMatch(/cGxhbnRlZA|SharedAccess/);
    }
    expect(recompute(receiptIn(log), instance.fleet.current())).toMatchObject({ differences: [] });
  });

  test.each<[string, Registering]>([
    ['in the place of every linked hub', planted({ linkedHubs: [SECRET] })],
    ['in the place of every hub of the enrollment', planted({ group: { iotHubs: [SECRET] } })],
    ['in the registration id', planted({ id: SECRET })],
  ])('makes the registration fail and is not repeated when it is %s', async (_, registering) => {
    const { status, body, log } = await register(instance, registering);

    expect(status).toBe(400);
    for (const text of [JSON.stringify(body), log]) expect(text).not.toMatch(/cGxhbnRlZA|SharedAccess/);
  });

  test('is described in the notes by the name of its field', async () => {
    const { log } = await register(
      instance,
      planted({
        current: SECRET,
        linkedHubs: [SECRET, ...classic()],
        group: { iotHubs: [...classic(), SECRET] },
      }),
    );

    const { notes, inputs, result } = receiptIn(log);
    expect(notes).toEqual([
      'linkedHubs contains a text that is not a host name',
      'currentIotHubHostName is not a host name',
      'iotHubs of the enrollment contains a text that is not a host name',
    ]);
    expect(inputs).toMatchObject({
      linkedHubs: [...classic(), '(not a host name)'],
      currentHub: '(not a host name)',
    });
    expect(result).toMatchObject({ how: 'moved', why: 'the current hub is not linked' });
  });
});
