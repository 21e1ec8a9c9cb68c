import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deviceNameOf, isSameHub, readHubName } from '../../../local/iot-hub/index.ts';
import { type LocalHubs, serviceToken, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const DEVICE_NAME = 'contoso-weu.device.azure-devices.net';
const SERVICE_NAME = 'contoso-weu.service.azure-devices.net';

describe('the host names of a local hub', () => {
  let local: LocalHubs;
  beforeEach(async () => {
    local = await startLocalHubs();
    await local.registry(WEU).create({
      deviceId: 'dev-1',
      authentication: { type: 'sas', symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } },
    } as never);
  });
  afterEach(() => local.close());

  test.each([
    ['A.azure-devices.net', 'a.azure-devices.net', 'classic'],
    ['a.device.azure-devices.cn', 'a.azure-devices.cn', 'device'],
    ['a.service.azure-devices.us', 'a.azure-devices.us', 'service'],
    ['a.device.azure-devices.de', 'a.device.azure-devices.de', 'other'],
  ])('the host name %s belongs to %s', (name, hub, kind) => {
    expect(readHubName(name)).toEqual({ hub, kind });
  });

  test('host names are compared by the hub that they name', () => {
    expect(isSameHub(WEU, DEVICE_NAME)).toBe(true);
    expect(isSameHub(WEU, 'contoso-weu.azure-devices.us')).toBe(false);
    expect(deviceNameOf(WEU)).toBe(DEVICE_NAME);
  });

  test.each([WEU, DEVICE_NAME])('devices connect by the name %s, and are the same devices', async (host) => {
    const device = await local.device(host, 'dev-1', testKey(1));
    await device.open();
    const twin = await device.getTwin();

    await new Promise<void>((resolve, reject) => {
      twin.properties.reported.update({ at: host }, (error: Error | null) =>
        error ? reject(error) : resolve(),
      );
    });

    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({ properties: { reported: { at: host } } });
    expect(local.events.at(-1)?.properties.hubName).toBe('contoso-weu');
  });

  test('devices cannot connect by the service name', async () => {
    const device = await local.device(SERVICE_NAME, 'dev-1', testKey(1));

    await expect(device.open()).rejects.toThrow();
  });

  test.each([WEU, SERVICE_NAME])(
    "services call the hub by the name %s with Microsoft's SDK",
    async (host) => {
      const { responseBody } = await local.registry(host).getTwin('dev-1');

      expect(responseBody).toMatchObject({ deviceId: 'dev-1' });
    },
  );

  test('services are refused at the device name', async () => {
    const headers = { authorization: serviceToken(DEVICE_NAME) };
    const { status, text } = await local.call('GET', '/twins/dev-1', { host: DEVICE_NAME, headers });

    expect(status).toBe(404);
    expect(text).toContain(`${DEVICE_NAME} serves only devices`);
  });

  test('a token of a service is valid only for the name that it calls', async () => {
    const headers = { authorization: serviceToken(WEU) };

    expect((await local.call('GET', '/twins/dev-1', { host: SERVICE_NAME, headers })).status).toBe(401);
  });

  test('the control API finds a hub by each of its names', () => {
    expect(local.hubs.view(DEVICE_NAME)?.host).toBe(WEU);
    expect(local.hubs.provisioning(DEVICE_NAME)?.host).toBe(WEU);
  });
});
