import { describe, expect, test } from '@jest/globals';
import { createArm } from '../../../local/arm/resources.ts';
import type { HttpRequest } from '../../../local/https/exchange.ts';

const SUBSCRIPTION = '/subscriptions/00000000-0000-0000-0000-000000000000';
const DEVICES = `${SUBSCRIPTION}/resourceGroups/local/providers/Microsoft.Devices`;
const WEU = 'contoso-weu.azure-devices.net';
const arm = createArm({
  hubs: [{ host: WEU, region: 'westeurope', tier: 'S1', units: 2 }],
  links: [{ host: 'contoso-weu.device.azure-devices.net', region: 'westeurope' }],
  idScope: '0ne00000001',
});

const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  host: 'management.azure.com',
  path,
  query: new URLSearchParams({ 'api-version': '2026-11-01' }),
  headers: { authorization: 'Bearer berth-local-management' },
  body: Buffer.alloc(0),
  certificates: [],
  rawHeaders: [],
  ...more,
});

describe('the local Azure Resource Manager', () => {
  test('shows a hub with its size, region and host name, whatever the case of its id', async () => {
    const answer = await arm.answer(request(`${DEVICES}/iothubs/Contoso-WEU`));

    expect(answer).toMatchObject({
      status: 200,
      body: {
        location: 'westeurope',
        sku: { name: 'S1', capacity: 2 },
        properties: { hostName: WEU, state: 'Active' },
      },
    });
  });

  test('shows DPS with its links by the names that they have, and with masked keys', async () => {
    const { body } = await arm.answer(request(`${DEVICES}/provisioningServices/contoso-dps`));

    expect(body).toMatchObject({
      properties: { iotHubs: [{ name: 'contoso-weu.device.azure-devices.net' }] },
    });
    expect(JSON.stringify(body)).toContain('SharedAccessKey=****');
  });

  test.each([
    [SUBSCRIPTION, 'IotHubs', 'contoso-weu'],
    [`${SUBSCRIPTION}/resourceGroups/local`, 'IotHubs', 'contoso-weu'],
    [SUBSCRIPTION, 'provisioningServices', 'contoso-dps'],
  ])('lists in %s what is of the type %s', async (scope, type, name) => {
    const { body } = await arm.answer(request(`${scope}/providers/Microsoft.Devices/${type}`));

    expect(body).toMatchObject({ value: [{ name }] });
  });

  test('lists its one subscription', async () => {
    expect((await arm.answer(request('/subscriptions'))).body).toMatchObject({
      value: [{ displayName: 'local' }],
    });
  });

  test.each<[string, HttpRequest, number]>([
    ['another token', request(DEVICES, { headers: {} }), 401],
    ['no version', request(`${DEVICES}/IotHubs/contoso-weu`, { query: new URLSearchParams() }), 400],
    ['a write', request(`${DEVICES}/IotHubs/contoso-weu`, { method: 'PUT' }), 405],
    ['an unknown hub', request(`${DEVICES}/IotHubs/other`), 404],
    ['an unknown resource group', request(`${DEVICES.replace('local', 'mine')}/IotHubs/contoso-weu`), 404],
    ['an unknown subscription', request(`${DEVICES.replace('0000-0000', '0000-0001')}/IotHubs`), 404],
  ])('refuses %s', async (_, asked, status) => {
    expect((await arm.answer(asked)).status).toBe(status);
  });

  test('leaves certificates of DPS to their own service', () => {
    expect(arm.claims(request(`${DEVICES}/provisioningServices/contoso-dps/certificates/a`))).toBe(false);
    expect(arm.claims(request('/devices/a'))).toBe(false);
  });
});
