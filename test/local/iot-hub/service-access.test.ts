import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { EUS, type LocalHubs, serviceToken, startLocalHubs, testKey, WEU } from './local-hubs.ts';

describe('access to the service API', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
  });
  afterEach(() => local.close());

  test.each<[string, () => string]>([
    ['no credentials', () => ''],
    ['a wrong key', () => serviceToken(WEU, testKey(9))],
    ['an unknown policy', () => serviceToken(WEU, undefined, undefined, 'device')],
    ['an expired token', () => serviceToken(WEU, undefined, 1_600_000_000)],
    ['a token for another hub', () => serviceToken(EUS)],
    ['a token for a hub whose name is a prefix', () => serviceToken('contoso-weu.azure-devices.ne')],
    ['a malformed token', () => 'SharedAccessSignature sr=%zz&sig=%&se=x'],
  ])('refuses %s', async (_name, authorization) => {
    const answer = await local.call('GET', '/twins/dev-1', { headers: { authorization: authorization() } });

    expect(answer.status).toBe(401);
    expect(answer.body.Message).toMatch(/^ErrorCode:IotHubUnauthorized/);
  });

  test('refuses a Bearer token and says what to use', async () => {
    const answer = await local.call('GET', '/twins/dev-1', { headers: { authorization: 'Bearer xyzzy' } });

    expect(answer.status).toBe(401);
    expect(answer.body.Message).toContain('connection string');
    expect(answer.text).not.toContain('xyzzy');
  });

  test('the SDK throws an UnauthorizedError', async () => {
    await expect(local.registry(WEU, testKey(9)).getTwin('dev-1')).rejects.toMatchObject({
      name: 'UnauthorizedError',
    });
  });

  test('the Host header selects the hub, whatever its case and port', async () => {
    await registry.create({ deviceId: 'dev-1' });

    expect(
      (await local.call('GET', '/twins/dev-1', { host: 'CONTOSO-WEU.azure-devices.net:443' })).status,
    ).toBe(200);
    const elsewhere = { host: EUS, headers: { authorization: serviceToken(EUS) } };
    expect((await local.call('GET', '/twins/dev-1', elsewhere)).status).toBe(404);
    const unknown = await local.call('GET', '/twins/dev-1', { host: 'localhost' });
    expect(unknown.body.Message).toMatch(/^ErrorCode:IotHubNotFound/);
    const foreign = await local.call('GET', '/twins/dev-1', { host: 'nowhere.azure-devices.net' });
    expect(foreign.status).toBe(403);
  });

  test('the key can be configured', async () => {
    const other = await startLocalHubs({ serviceKey: testKey(7) });
    await expect(other.registry(WEU, testKey(7)).list()).resolves.toBeDefined();
    await expect(other.registry(WEU).list()).rejects.toMatchObject({ name: 'UnauthorizedError' });
    await other.close();
  });

  test('successful and refused calls are counted separately for each operation', async () => {
    await registry.create({ deviceId: 'dev-1' });
    await registry.getTwin('dev-1');
    await registry.updateTwin('dev-1', { tags: { a: 1 } }, '*');
    await registry.updateTwin('dev-1', { tags: { a: 1 } }, 'stale').catch(() => {});
    await registry.createQuery('SELECT * FROM devices').nextAsTwin();
    await registry.getRegistryStatistics();

    expect(local.hubs.view(WEU)?.counters).toMatchObject({
      twinReads: 1,
      twinWrites: 1,
      twinWritesRefused: 1,
      queries: 1,
      identityOps: 1,
      statisticsReads: 1,
      throttled: 0,
    });
    expect(local.hubs.view(EUS)?.counters).toMatchObject({ twinReads: 0, identityOps: 0 });
  });

  test('an oversized body is refused, and the connection stays usable', async () => {
    const answer = await local.call('PATCH', '/twins/dev-1', { body: 'x'.repeat(9 * 1024 * 1024) });
    expect(answer.status).toBe(413);
    expect((await local.call('GET', '/statistics/devices')).status).toBe(200);
  });
});
