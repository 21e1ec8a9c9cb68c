import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { EUS, WEU } from '../iot-hub/local-hubs.ts';
import { customGroup, type LocalDps, startLocalDps, startWebhook, type Webhook } from './local-dps.ts';

const WEU_DEVICE = 'contoso-weu.device.azure-devices.net';
const EUS_DEVICE = 'contoso-eus.device.azure-devices.net';
const NEVER = { updateHubAssignment: false, migrateDeviceData: false };
const links = (...hosts: readonly string[]) => ({ linkedHubs: hosts.map((host) => ({ host })) });
const to = (host: string, more: object = {}) => ({ status: 200, body: { iotHubHostName: host, ...more } });

describe('a local DPS whose hubs are linked by the classic name, the device name, or both', () => {
  let webhook: Webhook;
  let local: LocalDps;
  let directory: string;
  beforeEach(async () => {
    webhook = await startWebhook();
    directory = temporaryFolder('links');
  });
  afterEach(async () => {
    await local.close();
    await webhook.close();
  });
  const start = async (hosts: readonly string[], terms: Parameters<typeof customGroup>[1] = {}) => {
    local = await startLocalDps([customGroup(webhook, terms)], {
      ...links(...hosts),
      directory: join(directory, 'dps'),
      hubDirectory: join(directory, 'hubs'),
    });
  };
  const relink = async (hosts: readonly string[], terms: Parameters<typeof customGroup>[1] = {}) => {
    await local.close();
    await start(hosts, terms);
  };
  const twin = () => local.hubs.view(WEU)?.twin('dev-1');

  test('the webhook sees the linked names, and a device gets the one that it answers', async () => {
    await start([WEU, WEU_DEVICE, EUS]);
    webhook.answers(to(WEU_DEVICE, { initialTwin: { tags: { a: 1 } } }));

    const { assignedHub } = await local.register('dev-1');

    expect(webhook.requests[0].linkedHubs).toEqual([WEU, WEU_DEVICE, EUS]);
    expect(assignedHub).toBe(WEU_DEVICE);
    expect(twin()).toMatchObject({ tags: { a: 1 } });
  });

  test('an answer with a name that is not linked fails the registration, even if another name of that hub is linked', async () => {
    await start([WEU]);
    webhook.answers(to(WEU_DEVICE));

    const { result } = (await local.register('dev-1').catch((error) => error)) as {
      readonly result: { readonly registrationState: { readonly errorMessage: string } };
    };

    expect(result.registrationState.errorMessage).toContain('not one of linkedHubs');
  });

  test.each([
    ['migrates', {}],
    ['resets', { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false } }],
    ['never reprovisions', { reprovisionPolicy: NEVER }],
  ])('a relink keeps a device on its hub, with its twin, where the enrollment %s', async (_, terms) => {
    await start([WEU, EUS], terms);
    webhook.answers(to(WEU, { initialTwin: { tags: { since: 'first' } } }));
    await local.register('dev-1');
    const before = twin();

    await relink([WEU, WEU_DEVICE, EUS, EUS_DEVICE], terms);
    webhook.answers(to(WEU));
    const during = await local.register('dev-1');
    await relink([WEU_DEVICE, EUS_DEVICE], terms);
    webhook.answers(to(WEU_DEVICE, { initialTwin: { tags: { since: 'again' } } }));
    const after = await local.register('dev-1');

    expect([during, after].map(({ assignedHub, substatus }) => [assignedHub, substatus])).toEqual([
      [WEU, 'reprovisionedToInitialAssignment'],
      [WEU_DEVICE, 'reprovisionedToInitialAssignment'],
    ]);
    expect(twin()).toEqual(before);
    expect(webhook.requests.at(-1).deviceRuntimeContext.currentIotHubHostName).toBe(WEU);
  });

  test('an enrollment that never reprovisions offers every name of the hub', async () => {
    await start([WEU_DEVICE, WEU, EUS], { reprovisionPolicy: NEVER });
    webhook.answers(to(WEU));
    await local.register('dev-1');
    await local.register('dev-1');

    expect(webhook.requests.at(-1).linkedHubs).toEqual([WEU_DEVICE, WEU]);
  });

  test('a device that was deleted from its hub is created again with the twin of the webhook', async () => {
    await start([WEU_DEVICE]);
    webhook.answers(to(WEU_DEVICE, { initialTwin: { tags: { by: 'webhook' } } }));
    await local.register('dev-1');
    local.hubs.view(WEU)?.remove('dev-1');

    await local.register('dev-1');

    expect(twin()).toMatchObject({ tags: { by: 'webhook' } });
  });

  test('a hub cannot be linked by its service name', async () => {
    const wrong = start(['contoso-weu.service.azure-devices.net']);

    await expect(wrong).rejects.toMatchObject({
      code: 'BERTH_LOCAL_ENROLLMENT_INVALID',
      message: expect.stringContaining('is a service name'),
    });
    await start([WEU]);
  });
});
