import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hubEndpoints } from '../../src/hub/connection.ts';
import { type IdentityRegistry, openIdentityRegistry } from '../../src/hub/identity-registry.ts';
import { FunctionApp } from '../support/function-app.ts';

/* The identities of a real local hub, over HTTP. */

let app: FunctionApp;
let registry: IdentityRegistry;
beforeEach(async () => {
  app = await FunctionApp.open();
  const endpoint = hubEndpoints({
    hub: () => undefined,
    settings: {},
    clientId: undefined,
    isAzure: false,
    endpoint: () => app.env.IOT_ENDPOINT,
  })(app.host);
  registry = openIdentityRegistry(app.host, endpoint);
});
afterEach(async () => {
  await registry.close();
  await app.close();
});

const disable = async () => ({ status: 'disabled', statusReason: 'by a test' }) as const;
const identityOf = async (deviceId: string) =>
  (await app.service('GET', `/devices/${deviceId}`, {})).body as Readonly<Record<string, unknown>>;
/** What a change of the status may change. */
const withoutStatus = ({
  status,
  statusReason,
  statusUpdatedTime,
  etag,
  ...rest
}: Readonly<Record<string, unknown>>) => rest;

describe('a change of the status of an identity', () => {
  test('keeps keys, capabilities and scopes, and answers the new ETag', async () => {
    app.create('gateway', {}, app.host, true);
    const { deviceScope } = await identityOf('gateway');
    app.create('child', {});
    await app.service('PUT', '/devices/child', { deviceId: 'child', deviceScope: String(deviceScope) });
    for (const deviceId of ['gateway', 'child']) {
      const before = await identityOf(deviceId);

      const result = await registry.changeStatus(deviceId, disable);

      const after = await identityOf(deviceId);
      expect(after).toMatchObject({ status: 'disabled', statusReason: 'by a test' });
      expect(withoutStatus(after)).toEqual(withoutStatus(before));
      expect(result).toEqual({ kind: 'changed', etag: after.etag });
    }
  });

  test('does nothing if the caller does not want it after it has seen the identity', async () => {
    app.create('pump', {});
    const before = await identityOf('pump');

    expect(await registry.changeStatus('pump', async () => undefined)).toEqual({ kind: 'kept' });
    expect(await identityOf('pump')).toEqual(before);
  });

  test('does nothing if another writer changes the identity in between', async () => {
    app.create('pump', {});

    const result = await registry.changeStatus('pump', async () => {
      const stolen = { deviceId: 'pump', status: 'enabled', statusReason: 'stolen' };
      await app.service('PUT', '/devices/pump', stolen);
      return disable();
    });

    expect(result).toEqual({ kind: 'overtaken' });
    expect(await identityOf('pump')).toMatchObject({ status: 'enabled', statusReason: 'stolen' });
  });

  test('says that a device is missing, before and after it was seen', async () => {
    app.create('pump', {});

    expect(await registry.changeStatus('other', disable)).toEqual({ kind: 'missing' });
    const result = await registry.changeStatus('pump', async () => {
      await app.service('DELETE', '/devices/pump', {});
      return disable();
    });
    expect(result).toEqual({ kind: 'missing' });
  });

  test('is not sent if the hub does not show the keys, because the hub would then make new ones', async () => {
    app.create('pump', {});
    app.front = async (_, serve) => {
      const answer = await serve();
      const body = answer.body as Readonly<Record<string, unknown>>;
      return {
        ...answer,
        body: {
          ...body,
          authentication: { type: 'sas', symmetricKey: { primaryKey: null, secondaryKey: null } },
        },
      } as typeof answer;
    };

    expect(await registry.changeStatus('pump', disable)).toEqual({ kind: 'keysHidden' });
    expect(app.calls.filter((call) => call.startsWith('PUT'))).toEqual([]);
  });
});

describe('the list of the devices of a hub', () => {
  test('has the status, the scopes and the parent of each device, page by page', async () => {
    app.create('gateway', {}, app.host, true);
    const { deviceScope } = await identityOf('gateway');
    app.create('child', {});
    await app.service('PUT', '/devices/child', { deviceId: 'child', deviceScope: String(deviceScope) });
    for (let index = 0; index < 120; index += 1) app.create(`pump-${index}`, {});
    await app.setStatus('pump-7', 'disabled');

    const first = await registry.list(undefined);
    const second = await registry.list(first.continuation);

    expect(second.continuation).toBeUndefined();
    const devices = new Map([...first.devices, ...second.devices].map((device) => [device.deviceId, device]));
    expect(devices.size).toBe(122);
    expect(devices.get('gateway')).toMatchObject({ ownScope: deviceScope, parentScope: undefined });
    expect(devices.get('child')).toMatchObject({ ownScope: undefined, parentScope: deviceScope });
    expect(devices.get('pump-7')).toMatchObject({ status: 'disabled', isConnected: false });
    expect(devices.get('pump-8')).toMatchObject({ status: 'enabled', ownScope: undefined });
  });

  test('never holds a key', async () => {
    app.create('pump', {});

    const seen = JSON.stringify([await registry.list(undefined), await registry.read('pump')]);

    expect(seen).not.toMatch(/[A-Za-z0-9+/]{40,}/);
  });
});
