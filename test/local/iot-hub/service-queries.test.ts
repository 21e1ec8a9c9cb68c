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

  test('SELECT * returns whole twins in pages', async () => {
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

  test('an audit query for versions and etags returns every device once, with a token on each page', async () => {
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

  test('a page stays correct when devices are deleted between pages', async () => {
    const query = registry.createQuery('SELECT deviceId FROM devices', 10);
    await query.nextAsTwin();
    await registry.delete('dev-15');
    await registry.delete('dev-20');

    const { result } = await query.nextAsTwin();

    expect(result.map(({ deviceId }) => deviceId)[0]).toBe('dev-21');
  });

  test('a query for columns returns exactly those in their order', async () => {
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
    ["deviceId IN ['dev-14', 'dev-12', 'absent']", ['dev-12', 'dev-14']],
    ["deviceId in['dev-12','dev-14'] AND properties.desired.level IN [1, 4]", ['dev-14']],
    ["properties.desired.level IN ['3', true]", []],
    ["tags.toString = 'x'", []],
  ])('a query filters by %s', async (where, expected) => {
    const { body } = await local.call('POST', '/devices/query', {
      body: { query: `SELECT deviceId FROM devices WHERE ${where}` },
    });

    expect(body.map(({ deviceId }: { deviceId: string }) => deviceId)).toEqual(expected);
  });

  describe('queries for modules over the service API', () => {
    const ids = (rows: readonly { readonly deviceId: string; readonly moduleId?: string }[]) =>
      rows.map(({ deviceId, moduleId }) => `${deviceId}/${moduleId}`);
    const all = ['dev-11/camera', 'dev-11/pump', 'dev-13/camera', 'dev-14/a', 'dev-14/b'];

    beforeEach(async () => {
      for (const key of all.toReversed()) {
        const [deviceId = '', moduleId = ''] = key.split('/');
        await registry.addModule({ deviceId, moduleId });
      }
      await registry.updateModuleTwin('dev-13', 'camera', { tags: { site: 'ams' } }, '*');
    });

    test('SELECT * returns whole twins of modules, and none of devices', async () => {
      const { result } = await registry.createQuery('SELECT * FROM devices.modules').nextAsTwin();

      expect(ids(result)).toEqual(all);
      expect(result[0]).toMatchObject({ moduleId: 'camera', properties: { desired: { $version: 1 } } });
    });

    test('columns and conditions work as for devices', async () => {
      const { body, headers } = await local.call('POST', '/devices/query', {
        body: {
          query:
            "SELECT deviceId, moduleId, version, etag FROM devices.modules WHERE moduleId = 'camera' AND tags.site = 'ams'",
        },
      });

      expect(body).toEqual([{ deviceId: 'dev-13', moduleId: 'camera', version: 3, etag: 'AAAAAAAAAAI=' }]);
      expect(headers['x-ms-item-type']).toBe('Raw');
    });

    test.each([1, 2, 3, 4])('pages of the size %i contain every module once', async (size) => {
      const query = registry.createQuery('SELECT deviceId, moduleId FROM devices.modules', size);
      const pages: string[][] = [];
      while (query.hasMoreResults) pages.push(ids((await query.nextAsTwin()).result));

      expect(pages.flat()).toEqual(all);
      expect(pages).toHaveLength(Math.ceil(all.length / size));
    });

    test('a page stays correct when the device of its last module is deleted', async () => {
      const query = registry.createQuery('SELECT deviceId, moduleId FROM devices.modules', 1);
      await query.nextAsTwin();
      await registry.delete('dev-11');

      expect(ids((await query.nextAsTwin()).result)).toEqual(['dev-13/camera']);
    });

    test('queries for devices do not return modules', async () => {
      const { body } = await local.call('POST', '/devices/query', {
        body: { query: "SELECT deviceId FROM devices WHERE moduleId = 'camera'" },
      });
      expect(body).toEqual([]);
    });
  });

  test.each([
    'DROP TABLE devices',
    'SELECT * FROM c',
    "SELECT * FROM devices WHERE tags.a = 'open",
    'SELECT * FROM devices WHERE tags.a =',
    "SELECT * FROM devices WHERE tags.a IN 'x'",
    'SELECT * FROM devices WHERE tags.a IN []',
    "SELECT * FROM devices WHERE tags.a IN ['x'",
    '',
  ])('the query %s is refused with 400004', async (query) => {
    const answer = await local.call('POST', '/devices/query', { body: { query } });

    expect(answer.status).toBe(400);
    expect(answer.body.Message).toMatch(/^ErrorCode:ArgumentInvalid;BadRequest/);
  });

  test.each([1, 7, 100])('TOP limits the rows of all pages of the size %i together', async (size) => {
    const query = registry.createQuery('SELECT TOP 9 * FROM devices', size);
    const pages: number[] = [];
    while (query.hasMoreResults) pages.push((await query.nextAsTwin()).result.length);

    expect(pages.reduce((sum, rows) => sum + rows, 0)).toBe(9);
    expect(pages).toHaveLength(Math.ceil(9 / size));
  });

  test('groups come in pages too', async () => {
    const query = registry.createQuery(
      'SELECT tags.site AS site, COUNT() AS n FROM devices GROUP BY tags.site',
      1,
    );
    const first = await query.next(undefined as unknown as string);
    const second = await query.next(query.continuationToken);

    expect(first.result).toEqual([{ n: 23 }]);
    expect(second.result).toEqual([{ site: 'ams', n: 2 }]);
    expect(query.hasMoreResults).toBe(false);
  });

  test('a query with OR, NOT, functions and arithmetic filters over the SDK', async () => {
    const query = registry.createQuery(
      "SELECT * FROM devices WHERE (STARTSWITH(deviceId, 'dev-1') AND NOT IS_DEFINED(tags.site) AND deviceId < 'dev-12') OR properties.desired.level * 2 = 8",
    );
    const { result } = await query.nextAsTwin();

    expect(result.map(({ deviceId }) => deviceId)).toEqual(['dev-10', 'dev-11', 'dev-14']);
  });

  test('a query for jobs answers in the form of jobs', async () => {
    const { body, headers } = await local.call('POST', '/devices/query', {
      body: { query: "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'dev-12'" },
    });

    expect(body).toEqual([]);
    expect(headers['x-ms-item-type']).toBe('DeviceJob');
  });

  test('a query above the maximum length is refused', async () => {
    const query = `SELECT * FROM devices WHERE tags.a = '${'x'.repeat(9000)}'`;
    expect((await local.call('POST', '/devices/query', { body: { query } })).status).toBe(400);
  });

  test('an invalid continuation token is refused', async () => {
    const answer = await local.call('POST', '/devices/query', {
      headers: { 'x-ms-continuation': 'bogus' },
      body: { query: 'SELECT * FROM devices' },
    });
    expect(answer.status).toBe(400);
  });
});
