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
  TWIN_KEYS,
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

  test('puts the twins of all hubs into sixteen partitions, with the hub in the row key', () => {
    const stored = (key: string) => TWIN_KEYS.toStored(partitionOf(id('device-0001')), key);

    expect(stored(snapshotKey(id('device-0001')))).toEqual({
      partitionKey: '07',
      rowKey: 's|weu.azure-devices.net|device-0001',
    });
    expect(stored(prefixRange('s|')[1]).rowKey).toBe('s|weu.azure-devices.net}');
  });

  test('has at most 512 characters with the longest ids and the longest host name', () => {
    const longest = hostName(`${'h'.repeat(50)}.azure-devices.net`);

    fc.assert(
      fc.property(deviceId, deviceId, (one, other) => {
        const twin = { host: longest, deviceId: one, moduleId: other };
        const key = workItemKey(twin, 'drift', epochMs(5));
        expect(TWIN_KEYS.toStored(partitionOf(twin), key).rowKey.length).toBeLessThanOrEqual(512);
      }),
    );
  });

  test('returns the same key after it is stored, and keeps the order of the rows of a hub', () => {
    const anyKey = fc
      .tuple(deviceId, fc.option(deviceId, { nil: undefined }), fc.constantFrom(0, 1, 2, 3))
      .map(([device, module, kind]) => {
        const twin = id(device, module);
        const key = [
          snapshotKey(twin),
          attentionKey(twin, 'rejected'),
          tombstoneKey(twin),
          workItemKey(twin, 'edit', epochMs(5)),
        ][kind];
        return { partition: partitionOf(twin), key: key ?? '' };
      });
    fc.assert(
      fc.property(anyKey, anyKey, ({ partition, key }, other) => {
        const stored = TWIN_KEYS.toStored(partition, key);
        const otherStored = TWIN_KEYS.toStored(partition, other.key);

        expect(TWIN_KEYS.fromStored(stored)).toEqual({ partitionKey: partition, rowKey: key });
        expect(stored.rowKey < otherStored.rowKey).toBe(key < other.key);
        const [from, to] = prefixRange('work|').map((bound) => TWIN_KEYS.toStored(partition, bound).rowKey);
        const isWithin = stored.rowKey >= String(from) && stored.rowKey < String(to);
        expect(isWithin).toBe(key.startsWith('work|'));
      }),
    );
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
