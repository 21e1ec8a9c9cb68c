import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { type LocalHubs, startLocalHubs, WEU } from './local-hubs.ts';

describe('queries over the service API', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
    await registry.addDevices(Array.from({ length: 25 }, (_, index) => ({ deviceId: `dev-${10 + index}` })));
    await registry.updateTwin(
      'dev-12',
      { tags: { site: 'ams' }, properties: { desired: { level: 3 } } },
      '*',
    );
    await registry.updateTwin(
      'dev-14',
      { tags: { site: 'ams' }, properties: { desired: { level: 4 } } },
      '*',
    );
  });
  afterEach(() => local.close());

  test('SELECT * gives whole twins, page by page', async () => {
    const query = registry.createQuery('SELECT * FROM devices', 10);
    const sizes: number[] = [];
    const ids: string[] = [];
    while (query.hasMoreResults) {
      const { result } = await query.nextAsTwin();
      sizes.push(result.length);
      ids.push(...result.map(({ deviceId }) => deviceId));
    }

    expect(sizes).toEqual([10, 10, 5]);
    expect(ids).toEqual(Array.from({ length: 25 }, (_, index) => `dev-${10 + index}`));
  });

  test('a walk over versions and etags gets every device once, with the token of each page', async () => {
    const query = registry.createQuery('SELECT deviceId, version, etag FROM devices', 10);
    const rows: unknown[] = [];
    let token: string | undefined;
    do {
      const page = await query.next(token as string);
      rows.push(...(page.result as unknown[]));
      token = (query as unknown as { continuationToken?: string }).continuationToken;
    } while (token !== undefined);

    expect(rows).toHaveLength(25);
    expect(rows.slice(0, 3)).toEqual([
      { deviceId: 'dev-10', version: 2, etag: 'AAAAAAAAAAE=' },
      { deviceId: 'dev-11', version: 2, etag: 'AAAAAAAAAAE=' },
      { deviceId: 'dev-12', version: 3, etag: 'AAAAAAAAAAI=' },
    ]);
  });

  test('a page stays right when devices go between pages', async () => {
    const query = registry.createQuery('SELECT deviceId FROM devices', 10);
    await query.nextAsTwin();
    await registry.delete('dev-15');
    await registry.delete('dev-20');

    const { result } = await query.nextAsTwin();

    expect(result.map(({ deviceId }) => deviceId)[0]).toBe('dev-21');
  });

  test('columns give just those, in their order', async () => {
    const { body, headers } = await local.call('POST', '/devices/query', {
      body: {
        query: "SELECT deviceId, version, etag, tags.site AS place FROM devices WHERE deviceId = 'dev-12'",
      },
    });

    expect(JSON.stringify(body)).toBe(
      '[{"deviceId":"dev-12","version":3,"etag":"AAAAAAAAAAI=","place":"ams"}]',
    );
    expect(headers['x-ms-item-type']).toBe('Raw');
  });

  test.each<[string, string[]]>([
    ["tags.site = 'ams'", ['dev-12', 'dev-14']],
    ["tags.site = 'ams' AND properties.desired.level = 4", ['dev-14']],
    ["tags.site = 'ams' and properties.desired.level > 3", ['dev-14']],
    ["tags.site != 'ams'", []],
    ["status = 'disabled'", []],
    ["tags.toString = 'x'", []],
  ])('WHERE %s', async (where, expected) => {
    const { body } = await local.call('POST', '/devices/query', {
      body: { query: `SELECT deviceId FROM devices WHERE ${where}` },
    });

    expect(body.map(({ deviceId }: { deviceId: string }) => deviceId)).toEqual(expected);
  });

  test('modules are an empty list', async () => {
    const { body } = await local.call('POST', '/devices/query', {
      body: { query: 'select * from devices.modules' },
    });
    expect(body).toEqual([]);
  });

  test.each([
    'DROP TABLE devices',
    'SELECT * FROM c',
    "SELECT * FROM devices WHERE tags.a = 'x' OR tags.b = 'y'",
    'SELECT COUNT() AS n FROM devices',
    "SELECT * FROM devices WHERE tags.a = 'open",
    'SELECT * FROM devices WHERE tags.a =',
    '',
  ])('%s is refused with 400004', async (query) => {
    const answer = await local.call('POST', '/devices/query', { body: { query } });

    expect(answer.status).toBe(400);
    expect(answer.body.Message).toMatch(/^ErrorCode:ArgumentInvalid;BadRequest/);
  });

  test('a text longer than the hub takes is refused', async () => {
    const query = `SELECT * FROM devices WHERE tags.a = '${'x'.repeat(9000)}'`;
    expect((await local.call('POST', '/devices/query', { body: { query } })).status).toBe(400);
  });

  test('a continuation token that is none is refused', async () => {
    const answer = await local.call('POST', '/devices/query', {
      headers: { 'x-ms-continuation': 'bogus' },
      body: { query: 'SELECT * FROM devices' },
    });
    expect(answer.status).toBe(400);
  });
});
