import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpRequest, InvocationContext } from '@azure/functions';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { EnrollmentReprovisionPolicy } from '../../local/dps/enrollments/enrollment.ts';
import { createRegistrar } from '../../local/dps/registration/registrar.ts';
import { openRegistrations, type RegistrationStore } from '../../local/dps/registration/registration.ts';
import type { WebhookCall } from '../../local/dps/registration/webhook.ts';
import { createIotHubs, type IotHubs } from '../../local/iot-hub/index.ts';
import { silent } from '../../local/log.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { Instance } from '../../src/instance/instance.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SHORT = ['weu', 'neu', 'eus'];
const CLASSIC = SHORT.map((name) => `${name}.azure-devices.net`);
const DEVICE = SHORT.map((name) => `${name}.device.azure-devices.net`);
const [WEU = '', NEU = ''] = CLASSIC;
const KEY = Buffer.alloc(32, 7).toString('base64');

/** Uses the real webhook function behind the local DPS, which calls the local hubs in the same way as DPS. */
describe('the webhook behind a DPS', () => {
  let hubs: IotHubs;
  let store: RegistrationStore;
  let policy: EnrollmentReprovisionPolicy | undefined;
  /** Changed by tests between registrations. */
  let fleet: JsonObject;
  beforeEach(() => {
    hubs = createIotHubs({
      hubs: CLASSIC.map((host) => ({ host, tier: 'S3', units: 10 })),
      sink: () => () => {},
    });
    store = openRegistrations(undefined);
    policy = undefined;
    fleet = {
      hubs: CLASSIC.map((host) => ({ host, region: 'westeurope', tier: 'S3' })),
      twins: { initial: [{ name: 'base', tags: { layer: 'berth' } }] },
    };
  });
  afterEach(() => {
    hubs.close();
    store.close();
  });

  function webhook(): WebhookCall {
    const folder = temporaryFolder('app');
    writeFileSync(join(folder, 'fleet.json'), JSON.stringify(fleet));
    const instance = new Instance({
      env: {
        AzureWebJobsStorage:
          'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;',
      },
      directory: folder,
      build: '2026-11-23T00:00:00Z',
      log: () => {},
    });
    const handler = allocateDevice(instance);
    return async (url, json) => {
      const request = new HttpRequest({ method: 'POST', url, body: { bytes: Buffer.from(json) } });
      const context = new InvocationContext({ functionName: 'allocateDevice', logHandler: () => {} });
      const { status = 0, body } = await handler(request, context);
      return { status, body: String(body) };
    };
  }

  /** A DPS with these links, over the registrations of the one before. */
  function dps(links: readonly string[]) {
    const register = createRegistrar({
      linkedHubs: links.map((host) => ({ host })),
      hub: hubs.provisioning,
      store,
      call: webhook(),
      retryWaitsMs: [],
      log: silent,
      now: Date.now,
      signal: new AbortController().signal,
    });
    return (registrationId: string) =>
      register(
        {
          registrationId,
          enrollment: {
            enrollmentGroupId: 'fleet',
            attestation: { type: 'symmetricKey', primaryKey: KEY, secondaryKey: KEY },
            allocationPolicy: 'custom',
            customAllocationDefinition: {
              webhookUrl: 'http://localhost/api/allocate',
              apiVersion: '2021-10-01',
            },
            initialTwin: { tags: { own: 'enrollment' } },
            ...(policy && { reprovisionPolicy: policy }),
            etag: '"1"',
            createdDateTimeUtc: '',
            lastUpdatedDateTimeUtc: '',
          },
          authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
          proof: { type: 'symmetricKey' },
        },
        undefined,
      );
  }
  const tagsOn = (host: string, deviceId = 'pump') => hubs.view(host)?.twin(deviceId)?.tags;

  test('moves 0 of 10,000 devices while links change from classic to device names, and DPS creates no new identity', async () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `device-${index}`);
    const places = new Map<string, string | undefined>();
    const first = dps(CLASSIC);
    for (const id of ids) places.set(id, (await first(id)).assignment?.host);
    const writes = () => hubs.views.reduce((sum, { counters }) => sum + counters.provisioningWrites, 0);
    const before = writes();
    const moved: string[] = [];

    for (const links of [[...DEVICE, ...CLASSIC], DEVICE]) {
      const again = dps(links);
      for (const id of ids) {
        const { status, substatus, assignment } = await again(id);
        const stays = assignment?.host.split('.')[0] === places.get(id)?.split('.')[0];
        if (status !== 'assigned' || substatus !== 'reprovisionedToInitialAssignment' || !stays)
          moved.push(id);
      }
    }

    expect(moved).toEqual([]);
    expect(writes()).toBe(before);
    expect(new Set(ids.map((id) => store.get(id)?.assignment?.host))).toEqual(new Set(DEVICE));
    expect(hubs.views.reduce((sum, { deviceCount }) => sum + deviceCount, 0)).toBe(10_000);
  });

  test('sends the layers again to a device that was deleted from its hub, and leaves other devices unchanged', async () => {
    await dps([WEU])('pump');
    hubs.view(WEU)?.edit('pump', { tags: { since: 'then' } }, 'service');

    await dps([WEU])('pump');
    expect(tagsOn(WEU)).toEqual({ own: 'enrollment', layer: 'berth', since: 'then' });

    hubs.view(WEU)?.remove('pump');
    await dps([WEU])('pump');
    expect(tagsOn(WEU)).toEqual({ own: 'enrollment', layer: 'berth' });
  });

  test('does not send the layers again when twins.resendInitial is false', async () => {
    fleet = { ...fleet, twins: { ...(fleet.twins as JsonObject), resendInitial: false } };
    await dps([WEU])('pump');
    hubs.view(WEU)?.remove('pump');

    await dps([WEU])('pump');

    expect(tagsOn(WEU)).toEqual({ own: 'enrollment' });
  });

  test.each<[string, EnrollmentReprovisionPolicy | undefined, JsonObject]>([
    [
      'the twin moves with the device under migrate',
      undefined,
      { own: 'enrollment', layer: 'berth', since: 'then' },
    ],
    [
      'the twin starts with the layers under reset',
      { updateHubAssignment: true, migrateDeviceData: false },
      { own: 'enrollment', layer: 'berth' },
    ],
  ])('handles the twin of a device that changes its hub: %s', async (_, reprovisioning, tags) => {
    policy = reprovisioning;
    await dps([WEU])('pump');
    hubs.view(WEU)?.edit('pump', { tags: { since: 'then' } }, 'service');
    fleet = { ...fleet, allocation: { rules: [{ name: 'move', hub: NEU }] } };

    await dps([WEU, NEU])('pump');

    expect(hubs.view(WEU)?.twin('pump')).toBeUndefined();
    expect(tagsOn(NEU)).toEqual(tags);
  });
});
