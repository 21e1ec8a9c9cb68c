import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createIotHubs, type IotHubs } from '../../../local/iot-hub/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { EUS, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const DEVICE = {
  authentication: { type: 'sas', symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } },
  capabilities: { iotEdge: false },
  tags: { site: 'ams' },
  desired: {},
  reported: {},
} as const;

describe('the stored data of the hubs', () => {
  let directory: string;
  const opened: IotHubs[] = [];
  const open = (): IotHubs => {
    const hubs = createIotHubs({
      hubs: [WEU, EUS].map((host) => ({ host, tier: 'S1' as const, units: 1 })),
      directory,
      sink: () => () => {},
    });
    opened.push(hubs);
    return hubs;
  };

  beforeEach(() => {
    directory = temporaryFolder('hubs');
  });
  afterEach(() => {
    for (const hubs of opened.splice(0)) hubs.close();
  });

  test('survives a killed process', () => {
    const before = open(); // never closed: all that was acknowledged is in the file already
    before.provisioning(WEU)?.create('dev-1', DEVICE);
    before.provisioning(WEU)?.create('dev-2', DEVICE);
    before.provisioning(EUS)?.create('dev-1', { ...DEVICE, tags: { site: 'iad' } });
    before.view(WEU)?.edit('dev-1', { properties: { desired: { a: 1 } } }, 'service');
    before.view(WEU)?.remove('dev-2');
    const twin = before.view(WEU)?.twin('dev-1');
    for (const file of readdirSync(directory)) appendFileSync(join(directory, file), '{"put":{"ident');

    const after = open();

    expect(after.view(WEU)?.twin('dev-1')).toEqual(twin);
    expect(after.view(WEU)?.twin('dev-2')).toBeUndefined();
    expect(after.view(EUS)?.twin('dev-1')).toMatchObject({ tags: { site: 'iad' } });
    expect(after.provisioning(WEU)?.read('dev-1')?.authentication).toEqual(DEVICE.authentication);
  });

  test('includes modules and their deletion', () => {
    const before = open();
    before.provisioning(WEU)?.create('dev-1', DEVICE);
    before.provisioning(WEU)?.create('dev-2', DEVICE);
    for (const moduleId of ['camera', 'pump']) before.view(WEU)?.createModule('dev-1', moduleId, {});
    before.view(WEU)?.createModule('dev-2', 'camera', {});
    before.view(WEU)?.edit('dev-1', { tags: { a: 1 } }, 'service', 'camera');
    before.view(WEU)?.remove('dev-1', 'pump');
    before.view(WEU)?.remove('dev-2');
    before.provisioning(WEU)?.create('dev-2', DEVICE);
    const twin = before.view(WEU)?.twin('dev-1', 'camera');

    const after = open().view(WEU);

    expect(twin).toMatchObject({ moduleId: 'camera', version: 3, tags: { a: 1 } });
    expect(after?.twin('dev-1', 'camera')).toEqual(twin);
    expect(after?.moduleIds('dev-1')).toEqual(['camera']);
    expect(after?.moduleIds('dev-2')).toEqual([]);
    expect(after?.deviceCount).toBe(2);
  });

  test('continues versions where they stopped', () => {
    open().provisioning(WEU)?.create('dev-1', DEVICE);

    open()
      .view(WEU)
      ?.edit('dev-1', { tags: { a: 1 } }, 'service');

    expect(open().view(WEU)?.twin('dev-1')).toMatchObject({ etag: 'AAAAAAAAAAI=', version: 3 });
  });

  test('is compacted so that it does not grow without limit', () => {
    const hubs = open();
    hubs.provisioning(WEU)?.create('dev-1', DEVICE);
    for (let index = 0; index < 12_000; index += 1) {
      hubs.view(WEU)?.edit('dev-1', { tags: { index } }, 'service');
    }

    const lines = readFileSync(join(directory, `${WEU}.jsonl`), 'utf8').split('\n').length;
    expect(lines).toBeLessThan(3_000);
    expect(open().view(WEU)?.twin('dev-1')).toMatchObject({ tags: { index: 11_999 }, version: 12_002 });
  });

  test('includes the subscriptions of a device, because its SDK does not subscribe again', async () => {
    const first = await startLocalHubs({ directory });
    first.hubs.provisioning(WEU)?.create('dev-1', DEVICE);
    const client = await first.device(WEU, 'dev-1', testKey(1));
    await client.open();
    await client.getTwin();
    await first.close();

    expect(readFileSync(join(directory, `${WEU}.jsonl`), 'utf8')).toContain('$iothub/twin/res/#');
  });
});
