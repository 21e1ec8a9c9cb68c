import { describe, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { packDocument, unpackDocument } from '../../src/store/tables/document.ts';
import {
  attentionKey,
  dueKey,
  dueRange,
  moduleShadowPrefix,
  partitionOf,
  partitionsOf,
  prefixRange,
  shadowKey,
  tombstoneKey,
} from '../../src/store/tables/keys.ts';
import { fc } from '../support/properties.ts';

const host = hostName('weu.azure-devices.net');
const id = (deviceId: string, moduleId?: string) => ({ host, deviceId, moduleId });
/** The characters of device and module ids (iot-hub-devguide-identity-registry). */
const deviceId = fc.stringMatching(/^[A-Za-z0-9\-.%_*?!(),:=@$'#+;]{1,128}$/);

describe('the keys are frozen', () => {
  test.each([
    ['pump-1', '00'],
    ['device-0001', '07'],
    ['a#b?c%d', '12'],
  ])('the bucket of %s', (device, bucket) => {
    expect(partitionOf(id(device))).toBe(`weu.azure-devices.net|${bucket}`);
  });

  test('of a device, a module, due work, attention and a tombstone', () => {
    expect(shadowKey(id('a#b?c%d'))).toBe('s|a~23b~3Fc~25d');
    expect(shadowKey(id('d', 'm'))).toBe('s|d|m');
    expect(dueKey(id('d'), 'drift', 1_795_435_200_123)).toBe('due|1|001795435200123|d');
    expect(attentionKey(id('d'), 'rejected')).toBe('att|rejected|d');
    expect(tombstoneKey(id('d', 'm'))).toBe('tomb|d|m');
  });

  test('of ids that would be too long are a hash', () => {
    const long = id('#'.repeat(128), '%'.repeat(128));

    expect(shadowKey(long)).toMatch(/^s\|~[0-9a-f]{64}$/);
  });
});

describe('keys', () => {
  test('of different ids differ, and hold nothing that table keys may not', () => {
    fc.assert(
      fc.property(deviceId, deviceId, (one, other) => {
        const keys = [shadowKey(id(one)), shadowKey(id(one, other)), dueKey(id(one), 'edit', 5)];

        for (const key of keys) expect(key).not.toMatch(/[#?%/\\]/);
        if (one !== other) expect(shadowKey(id(one))).not.toBe(shadowKey(id(other)));
      }),
    );
  });

  test('put due work that has come into the range of its priority, and no other', () => {
    const inRange = (key: string, [from, to]: readonly [string, string]) => key >= from && key < to;

    expect(inRange(dueKey(id('d'), 'drift', 100), dueRange('drift', 100))).toBe(true);
    expect(inRange(dueKey(id('~'), 'drift', 101), dueRange('drift', 100))).toBe(false);
    expect(inRange(dueKey(id('d'), 'edit', 50), dueRange('drift', 100))).toBe(false);
  });

  test('put a device’s modules, and nothing else, behind its prefix', () => {
    const [from, to] = prefixRange(moduleShadowPrefix('d'));
    const within = (key: string) => key >= from && key < to;

    expect([id('d', 'm'), id('d'), id('d1', 'm'), id('d-x')].map((twin) => within(shadowKey(twin)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test('spread devices over all sixteen partitions of a hub', () => {
    const used = new Set(Array.from({ length: 500 }, (_, index) => partitionOf(id(`d${index}`))));

    expect([...used].sort()).toEqual(partitionsOf(host));
  });
});

test('a document survives packing, also one that does not compress', () => {
  const noise = {
    text: Array.from({ length: 9_000 }, (_, i) => ((i * 2_654_435_761) >>> 0).toString(36)).join('é'),
  };
  const packed = packDocument(noise);

  expect(Object.keys(packed).length).toBeGreaterThanOrEqual(1);
  expect(Object.values(packed).every((piece) => piece.byteLength <= 64 * 1024)).toBe(true);
  expect(unpackDocument(packed)).toEqual(noise);
});
