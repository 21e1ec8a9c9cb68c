import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createWebhookCall, deriveDeviceKey, type EnrollmentGroup } from '../../../local/dps/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { EUS, testKey, until, WEU } from '../iot-hub/local-hubs.ts';
import {
  customGroup,
  GROUP_KEY,
  HUBS,
  type LocalDps,
  type Registering,
  startLocalDps,
  startWebhook,
  type Webhook,
} from './local-dps.ts';

describe('custom allocation, through the official provisioning SDK', () => {
  let webhook: Webhook;
  let local: LocalDps;

  const start = async (
    terms: Partial<EnrollmentGroup> = {},
    options: Parameters<typeof startLocalDps>[1] = {},
  ) => {
    local = await startLocalDps([customGroup(webhook, terms)], options);
  };
  beforeEach(async () => {
    webhook = await startWebhook();
  });
  afterEach(async () => {
    await local.close();
    await webhook.close();
  });
  const failure = (registrationId: string, how?: Registering) =>
    local.register(registrationId, how).then(
      () => {
        throw new Error('the registration did not fail');
      },
      (error) => error.result?.registrationState ?? error,
    );

  describe.each(['http', 'mqtt'] as const)('custom allocation over %s', (over) => {
    test('a device gets its hub, its payload, and an identity with its own key', async () => {
      await start();
      webhook.answers({
        status: 200,
        body: { iotHubHostName: EUS, initialTwin: { tags: { a: 1 } }, payload: { region: 'eastus' } },
      });

      const result = await local.register('dev-1', { over, payload: { country: 'US' } });

      expect(result).toMatchObject({
        registrationId: 'dev-1',
        assignedHub: EUS,
        deviceId: 'dev-1',
        status: 'assigned',
        substatus: 'initialAssignment',
        payload: { region: 'eastus' },
        symmetricKey: { enrollmentGroupId: 'contoso-devices' },
      });
      expect(local.hubs.view(EUS)?.twin('dev-1')).toMatchObject({
        tags: { a: 1 },
        authenticationType: 'sas',
      });
      expect(local.hubs.view(EUS)?.counters).toMatchObject({ provisioningWrites: 1, identityOps: 0 });
    });

    test.each<[string, Parameters<Webhook['answers']>[0], number]>([
      ['400', { status: 400, body: { error: {} } }, 400207],
      ['404', { status: 404 }, 400207],
      ['401', { status: 401 }, 400209],
      ['204', { status: 204, body: '' }, 400207],
      ['200 without a hub', { status: 200, body: {} }, 400208],
      ['200 with a null hub', { status: 200, body: { iotHubHostName: null } }, 400208],
      [
        '200 with a hub that is not linked',
        { status: 200, body: { iotHubHostName: 'x.azure-devices.net' } },
        400207,
      ],
      [
        '200 with a hub in another case',
        { status: 200, body: { iotHubHostName: WEU.toUpperCase() } },
        400207,
      ],
      ['200 with a body that is not JSON', { status: 200, body: '{"iotHub' }, 400207],
      [
        '200 with a payload that is a string',
        { status: 200, body: { iotHubHostName: WEU, payload: 'x' } },
        400207,
      ],
      [
        '200 with a twin that breaks a limit',
        { status: 200, body: { iotHubHostName: WEU, initialTwin: { tags: { a: 'x'.repeat(5000) } } } },
        400207,
      ],
    ])('a webhook that answers with %s fails the registration', async (_name, answer, code) => {
      await start();
      webhook.answers(answer);

      const state = await failure('dev-1', { over });

      expect(state).toMatchObject({ status: 'failed', errorCode: code, errorMessage: expect.any(String) });
      expect(webhook.requests).toHaveLength(1);
      expect(local.hubs.view(WEU)?.deviceCount).toBe(0);
    });

    test.each<[string, Parameters<Webhook['answers']>]>([
      ['429 and 503', [{ status: 429 }, { status: 503 }]],
      ['closed connections', ['hang up', 'hang up']],
    ])('a webhook that answers first with %s is called again', async (_name, answers) => {
      await start();
      webhook.answers(...answers, { status: 200, body: { iotHubHostName: WEU } });

      const result = await local.register('dev-1', { over });

      expect(result.assignedHub).toBe(WEU);
      expect(webhook.requests).toHaveLength(3);
      expect(webhook.requests[2]).toEqual(webhook.requests[0]);
    });
  });

  test('a webhook that does not answer in time is called again', async () => {
    let calls = 0;
    // Only the first call has a short deadline, so that a slow machine does not miss the second.
    await start({}, { call: (...args) => createWebhookCall(calls++ === 0 ? 50 : 60_000)(...args) });
    webhook.answers('never answer', { status: 200, body: { iotHubHostName: WEU } });

    expect(await local.register('dev-1')).toMatchObject({ assignedHub: WEU });
    expect(webhook.requests).toHaveLength(2);
  });

  test('a webhook with an answer above the size limit of DPS fails the registration', async () => {
    await start();
    webhook.answers({ status: 200, body: { iotHubHostName: WEU, payload: { a: 'x'.repeat(100_000) } } });

    expect(await failure('dev-1')).toMatchObject({ errorCode: 400207 });
  });

  test('a webhook that always answers 503 fails the registration after the retries', async () => {
    await start();
    webhook.answers({ status: 503 });

    expect(await failure('dev-1')).toMatchObject({ errorCode: 400207 });
    expect(webhook.requests).toHaveLength(3);
  });

  test('a webhook that cannot be reached fails the registration, and the log never contains its key', async () => {
    await start();
    await webhook.close();

    expect(await failure('dev-1')).toMatchObject({ errorCode: 400207 });
    expect(local.log.join()).toContain('/api/allocate?****');
    expect(local.log.join()).not.toContain('very-secret');
  });

  test('a slow webhook delays only its own device, and other devices are served meanwhile', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await start(
      {},
      {
        call: async (_url, json) => {
          if (json.includes('"slow"')) await held;
          return { status: 200, body: JSON.stringify({ iotHubHostName: WEU }) };
        },
      },
    );

    const slow = local.register('slow');
    const quick = await local.register('quick');
    release();

    expect(quick.assignedHub).toBe(WEU);
    expect((await slow).assignedHub).toBe(WEU);
  });

  describe('the request to the webhook', () => {
    test('the request of a first registration is as documented', async () => {
      await start({
        capabilities: { iotEdge: false },
        reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
        initialTwin: { tags: { from: 'enrollment' }, properties: { desired: { a: 1 } } },
        iotHubs: HUBS,
      });

      await local.register('breakroom499-contoso-tstrsd-007');

      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
      expect(webhook.requests).toEqual([
        {
          enrollmentGroup: {
            enrollmentGroupId: 'contoso-devices',
            attestation: { type: 'symmetricKey' },
            capabilities: { iotEdge: false },
            initialTwin: { tags: { from: 'enrollment' }, properties: { desired: { a: 1 } } },
            etag: expect.stringMatching(/^"[0-9a-f]{8}-0000-[0-9a-f]{4}-0000-[0-9a-f]{12}"$/),
            provisioningStatus: 'enabled',
            reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
            createdDateTimeUtc: time,
            lastUpdatedDateTimeUtc: time,
            allocationPolicy: 'custom',
            iotHubs: HUBS,
            customAllocationDefinition: {
              webhookUrl: webhook.url.replace(/\?.*/, '?****'),
              apiVersion: '2021-10-01',
            },
          },
          deviceRuntimeContext: { registrationId: 'breakroom499-contoso-tstrsd-007', symmetricKey: {} },
          linkedHubs: HUBS,
        },
      ]);
    });

    test('the request omits what the enrollment does not define', async () => {
      await start();
      await local.register('dev-1');

      expect(Object.keys(webhook.requests[0].enrollmentGroup)).toEqual([
        'enrollmentGroupId',
        'attestation',
        'etag',
        'provisioningStatus',
        'createdDateTimeUtc',
        'lastUpdatedDateTimeUtc',
        'allocationPolicy',
        'customAllocationDefinition',
      ]);
    });

    test('the request of a re-registration names the current hub and contains the payload', async () => {
      await start();
      await local.register('dev-1');
      await local.register('dev-1', { payload: { version: '2' } });

      expect(webhook.requests.map(({ deviceRuntimeContext }) => deviceRuntimeContext)).toEqual([
        { registrationId: 'dev-1', symmetricKey: {} },
        {
          registrationId: 'dev-1',
          currentIotHubHostName: WEU,
          currentDeviceId: 'dev-1',
          symmetricKey: {},
          payload: { version: '2' },
        },
      ]);
    });

    test('the request lists only the hubs of the enrollment, if it has hubs', async () => {
      await start({ iotHubs: [EUS.toUpperCase()] });
      webhook.answers({ status: 200, body: { iotHubHostName: EUS } });

      await local.register('dev-1');

      expect(webhook.requests[0].linkedHubs).toEqual([EUS]);
    });
  });

  describe('re-registration', () => {
    const to = (host: string, twin?: object) => ({
      status: 200,
      body: { iotHubHostName: host, ...(twin && { initialTwin: twin }) },
    });
    const enrollmentTwin = { tags: { from: 'enrollment' }, properties: { desired: { e: 1 } } };
    const webhookTwin = { tags: { from: 'webhook' }, properties: { desired: { w: 1 } } };
    const twinOn = (host: string) => local.hubs.view(host)?.twin('dev-1');
    const kinds = () =>
      local.events.map(({ host, properties }) => `${host.slice(8, 11)} ${String(properties.opType)}`);

    test('the first twin comes from the webhook, or otherwise from the enrollment', async () => {
      await start({ initialTwin: enrollmentTwin });
      webhook.answers(to(WEU, webhookTwin), to(WEU));

      await local.register('dev-1');
      await local.register('dev-2');

      expect(twinOn(WEU)).toMatchObject({ tags: { from: 'webhook' }, properties: { desired: { w: 1 } } });
      expect(twinOn(WEU)).not.toMatchObject({ properties: { desired: { e: 1 } } });
      expect(local.hubs.view(WEU)?.twin('dev-2')).toMatchObject({ tags: { from: 'enrollment' } });
    });

    test('a re-registration on the same hub does not change the twin, whatever the webhook answers', async () => {
      await start({ initialTwin: enrollmentTwin });
      webhook.answers(to(WEU), to(WEU, webhookTwin));
      await local.register('dev-1');
      const before = twinOn(WEU);

      const result = await local.register('dev-1');

      expect(result.substatus).toBe('reprovisionedToInitialAssignment');
      expect(twinOn(WEU)).toEqual(before);
      expect(kinds()).toEqual(['weu createDeviceIdentity']);
    });

    test('the policy "migrate" moves the twin to the new hub and deletes the identity on the old hub', async () => {
      await start({ reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true } });
      webhook.answers(to(WEU, webhookTwin), to(EUS, { tags: { from: 'nobody' } }));
      await local.register('dev-1');
      local.hubs.view(WEU)?.edit('dev-1', { tags: { since: 'then' } }, 'service');

      const result = await local.register('dev-1');

      expect(result).toMatchObject({ assignedHub: EUS, substatus: 'deviceDataMigrated' });
      expect(twinOn(WEU)).toBeUndefined();
      expect(twinOn(EUS)).toMatchObject({
        etag: 'AAAAAAAAAAE=', // the new hub starts with versions of its own
        version: 2,
        tags: { from: 'webhook', since: 'then' },
        properties: { desired: { w: 1, $version: 1 } },
      });
      expect(kinds().slice(-2)).toEqual(['eus createDeviceIdentity', 'weu deleteDeviceIdentity']);
    });

    test('a migration does not move modules, and deletes them with the old identity', async () => {
      await start({ reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true } });
      webhook.answers(to(WEU), to(EUS));
      await local.register('dev-1');
      local.hubs.view(WEU)?.createModule('dev-1', 'camera', {});

      await local.register('dev-1');

      expect(local.hubs.view(WEU)?.twin('dev-1', 'camera')).toBeUndefined();
      expect(local.hubs.view(EUS)?.moduleIds('dev-1')).toEqual([]);
      expect(
        local.events.slice(-2).map(({ properties }) => [properties.opType, properties.moduleId]),
      ).toEqual([
        ['deleteDeviceIdentity', 'camera'],
        ['deleteDeviceIdentity', undefined],
      ]);
    });

    test('the policy "reset" starts with the initial twin on the new hub', async () => {
      await start({
        reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false },
        initialTwin: enrollmentTwin,
      });
      webhook.answers(to(WEU, webhookTwin), to(EUS));
      await local.register('dev-1');

      const result = await local.register('dev-1');

      expect(result).toMatchObject({ assignedHub: EUS, substatus: 'deviceDataReset' });
      expect(twinOn(WEU)).toBeUndefined();
      expect(twinOn(EUS)).toMatchObject({ tags: { from: 'enrollment' }, properties: { desired: { e: 1 } } });
    });

    test('the policy "never" calls the webhook with the current hub only, and returns its payload', async () => {
      await start({ reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } });
      webhook.answers(to(EUS), {
        status: 200,
        body: { iotHubHostName: EUS, payload: { fresh: true }, initialTwin: webhookTwin },
      });
      await local.register('dev-1');

      const result = await local.register('dev-1');

      expect(webhook.requests.map(({ linkedHubs }) => linkedHubs)).toEqual([HUBS, [EUS]]);
      expect(result).toMatchObject({ assignedHub: EUS, payload: { fresh: true } });
      expect(twinOn(EUS)).toMatchObject({ tags: {} });
    });

    test('a move to a hub that refuses the twin changes nothing on both hubs', async () => {
      await start({ reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false } });
      webhook.answers(to(WEU), to(EUS, { tags: { a: 'x'.repeat(5000) } }));
      await local.register('dev-1');
      const leftover = local.hubs.provisioning(WEU)?.read('dev-1');
      if (leftover) local.hubs.provisioning(EUS)?.create('dev-1', { ...leftover, tags: { left: 'over' } });

      expect(await failure('dev-1')).toMatchObject({ errorCode: 400207 });

      expect(twinOn(WEU)).toBeDefined();
      expect(twinOn(EUS)).toMatchObject({ tags: { left: 'over' } });
    });

    test('a registration with a renewed group key gives the hub the new device key', async () => {
      const directory = temporaryFolder('dps');
      const keys = (primaryKey: string) =>
        ({ type: 'symmetricKey', primaryKey, secondaryKey: testKey(2) }) as const;
      await start({ attestation: keys(GROUP_KEY) }, { directory, hubDirectory: directory });
      await local.register('dev-1');
      await local.close();
      await start({ attestation: keys(testKey(7)) }, { directory, hubDirectory: directory });
      const renewed = deriveDeviceKey(testKey(7), 'dev-1');

      await local.register('dev-1', { key: renewed });

      expect(local.hubs.provisioning(WEU)?.read('dev-1')?.authentication).toMatchObject({
        symmetricKey: { primaryKey: renewed },
      });
    });

    test('a registration restores a device whose identity was deleted', async () => {
      await start({ initialTwin: enrollmentTwin });
      await local.register('dev-1');
      local.hubs.view(WEU)?.remove('dev-1');

      await local.register('dev-1');

      expect(twinOn(WEU)).toMatchObject({ version: 2, tags: { from: 'enrollment' } });
    });

    test('a failed registration keeps the device on its hub', async () => {
      await start();
      webhook.answers(to(WEU), { status: 400 });
      await local.register('dev-1');

      await failure('dev-1');

      expect(twinOn(WEU)).toBeDefined();
      expect(local.dps.registrations()).toMatchObject([
        { registrationId: 'dev-1', status: 'failed', assignment: { host: WEU }, failure: { code: 400207 } },
      ]);
    });

    test('a registration with the secondary key of the group gives the hub both derived keys', async () => {
      await start();
      await local.register('dev-1', { key: deriveDeviceKey(testKey(6), 'dev-1') });

      expect(local.hubs.provisioning(WEU)?.read('dev-1')?.authentication).toMatchObject({
        symmetricKey: { secondaryKey: deriveDeviceKey(testKey(6), 'dev-1') },
      });
    });
  });

  test('closing DPS cancels the registrations in progress', async () => {
    await start({}, { retryWaitsMs: [60_000] });
    webhook.answers({ status: 503 });
    const registering = failure('dev-1').catch(() => {});
    await until(() => webhook.requests.length === 1, 'the first call');

    local.dps.close();

    await until(() => local.log.some((line) => line.includes('was canceled')), 'the registration to end');
    await registering;
  });
});
