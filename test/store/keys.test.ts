import { describe, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { packDocument, unpackDocument } from '../../src/store/tables/document.ts';
import {
  attentionKey,
  moduleSnapshotPrefix,
  partitionOf,
  partitionsOf,
  prefixRange,
  snapshotKey,
  tombstoneKey,
  workItemKey,
  workItemRange,
} from '../../src/store/tables/keys.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { fc } from '../support/properties.ts';

const host = hostName('weu.azure-devices.net');
const id = (deviceId: string, moduleId?: string) => ({ host, deviceId, moduleId });
/** The characters of device and module ids (iot-hub-devguide-identity-registry). */
const deviceId = fc.stringMatching(/^[A-Za-z0-9\-.%_*?!(),:=@$'#+;]{1,128}$/);

describe('the stored form of table keys', () => {
  test.each([
    ['pump-1', '00'],
    ['device-0001', '07'],
    ['a#b?c%d', '12'],
  ])('has a fixed bucket for %s', (device, bucket) => {
    expect(partitionOf(id(device))).toBe(`weu.azure-devices.net|${bucket}`);
  });

  test('has a fixed key for a device, a module, a work item, attention and a tombstone', () => {
    expect(snapshotKey(id('a#b?c%d'))).toBe('s|a~23b~3Fc~25d');
    expect(snapshotKey(id('d', 'm'))).toBe('s|d|m');
    expect(workItemKey(id('d'), 'drift', epochMs(1_795_435_200_123))).toBe('work|1|001795435200123|d');
    expect(attentionKey(id('d'), 'rejected')).toBe('att|rejected|d');
    expect(tombstoneKey(id('d', 'm'))).toBe('tomb|d|m');
  });

  test('uses a hash for ids that are too long', () => {
    const long = id('#'.repeat(128), '%'.repeat(128));

    expect(snapshotKey(long)).toMatch(/^s\|~[0-9a-f]{64}$/);
  });
});

describe('table keys', () => {
  test('differ for different ids and contain only characters that tables allow', () => {
    fc.assert(
      fc.property(deviceId, deviceId, (one, other) => {
        const keys = [
          snapshotKey(id(one)),
          snapshotKey(id(one, other)),
          workItemKey(id(one), 'edit', epochMs(5)),
        ];

        for (const key of keys) expect(key).not.toMatch(/[#?%/\\]/);
        if (one !== other) expect(snapshotKey(id(one))).not.toBe(snapshotKey(id(other)));
      }),
    );
  });

  test('put exactly the work items whose time has come into the range of their priority', () => {
    const inRange = (key: string, [from, to]: readonly [string, string]) => key >= from && key < to;

    expect(inRange(workItemKey(id('d'), 'drift', epochMs(100)), workItemRange('drift', epochMs(100)))).toBe(
      true,
    );
    expect(inRange(workItemKey(id('~'), 'drift', epochMs(101)), workItemRange('drift', epochMs(100)))).toBe(
      false,
    );
    expect(inRange(workItemKey(id('d'), 'edit', epochMs(50)), workItemRange('drift', epochMs(100)))).toBe(
      false,
    );
  });

  test('put exactly the modules of a device after its prefix', () => {
    const [from, to] = prefixRange(moduleSnapshotPrefix('d'));
    const within = (key: string) => key >= from && key < to;

    expect(
      [id('d', 'm'), id('d'), id('d1', 'm'), id('d-x')].map((twin) => within(snapshotKey(twin))),
    ).toEqual([true, false, false, false]);
  });

  test('spread devices over all sixteen partitions of a hub', () => {
    const used = new Set(Array.from({ length: 500 }, (_, index) => partitionOf(id(`d${index}`))));

    expect([...used].sort()).toEqual(partitionsOf(host));
  });
});

test('a document is the same after packing, even if it does not compress', () => {
  const noise = {
    text: Array.from({ length: 9_000 }, (_, i) => ((i * 2_654_435_761) >>> 0).toString(36)).join('é'),
  };
  const packed = packDocument(noise);

  expect(Object.keys(packed).length).toBeGreaterThanOrEqual(1);
  expect(Object.values(packed).every((piece) => piece.byteLength <= 64 * 1024)).toBe(true);
  expect(unpackDocument(packed)).toEqual(noise);
});
