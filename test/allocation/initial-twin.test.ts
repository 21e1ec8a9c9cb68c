import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { answerOf } from '../../src/allocation/decision/answer.ts';
import { type Decision, decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { EPOCH } from '../../src/time/epoch-ms.ts';
import { fleetOf, type RequestOptions, requestOf } from './requests.ts';

const WEU = 'weu.azure-devices.net';
const RESET = { updateHubAssignment: true, migrateDeviceData: false };

function decideWith(twins: object, request: RequestOptions = {}, allocation: object = {}): Decision {
  return decide({
    request: requestOf({ linkedHubs: [WEU], ...request }),
    fleet: fleetOf({ twins, allocation }),
    conditions: NO_CONDITIONS,
    now: EPOCH,
  });
}
const layers = (...initial: object[]) => ({ initial });
/** So many objects below a section, with a leaf in the last. */
const nested = (objects: number, key = 'a', leaf: JsonValue = 1): JsonObject => ({
  [key]: objects === 0 ? leaf : nested(objects - 1, key, leaf),
});

describe('the initial twin', () => {
  test('is the twin of the enrollment with the layers on top, and a later layer wins for each path', () => {
    const own = {
      tags: { site: 'x', a: 1 },
      properties: { desired: { net: { dns: 'own', ntp: 'own' }, list: [1, 2] } },
    };

    const { twin } = decideWith(
      layers(
        { name: 'base', tags: { site: 'base' }, desired: { net: { dns: 'base' }, list: [9] } },
        { name: 'edge', tags: { site: 'edge', a: null } },
      ),
      { group: { initialTwin: own } },
    );

    expect(twin.twin).toEqual({
      tags: { site: 'edge' },
      desired: { net: { dns: 'base', ntp: 'own' }, list: [9] },
    });
    expect(Object.fromEntries(twin.provenance)).toEqual({
      'tags.site': 'edge',
      'desired.net.dns': 'base',
      'desired.net.ntp': 'enrollment',
      'desired.list': 'base',
    });
  });

  test('can use the payload, the enrollment, the attestation and the hub', () => {
    const { twin } = decideWith(
      layers(
        {
          name: 'seen',
          tags: {
            site: '=payload.site',
            kind: '=enrollment.kind',
            how: '=attestation.kind',
            at: '=hub.region',
          },
        },
        { name: 'edge', when: 'enrollment.iotEdge', tags: { edge: true } },
        { name: 'id', tags: { id: '=registrationId' } },
      ),
      { context: { registrationId: 'D-1', payload: { site: 'ams' } } },
    );

    expect(twin.twin?.tags).toEqual({
      site: 'ams',
      kind: 'group',
      how: 'symmetricKey',
      at: 'westeurope',
      id: 'd-1',
    });
  });

  test('leaves out unknown values and values that break a limit, and notes them', () => {
    const { twin } = decideWith(
      layers(
        { name: 'a', tags: { site: '=payload.site', name: '=payload.name', ok: 1 } },
        { name: 'big', desired: { blob: '=payload.blob' } },
      ),
      {
        context: {
          payload: {
            name: 'x'.repeat(5_000),
            blob: Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`k${i}`, 'x'.repeat(4_000)])),
          },
        },
      },
    );

    expect(twin.twin?.tags).toEqual({ ok: 1 });
    expect(Object.keys((twin.twin?.desired.blob ?? {}) as object)).toEqual([
      'k0',
      'k1',
      'k2',
      'k3',
      'k4',
      'k5',
      'k6',
      'k7',
    ]);
    expect(twin.omitted.map(({ path, why }) => `${path.join('.')}: ${why}`)).toEqual([
      'tags.site: a: the key site is missing',
      'tags.name: a: is a string over 4 KB',
      'desired.blob.k8: big: desired would be larger than 32768 bytes',
      'desired.blob.k9: big: desired would be larger than 32768 bytes',
      'desired.blob.k10: big: desired would be larger than 32768 bytes',
      'desired.blob.k11: big: desired would be larger than 32768 bytes',
    ]);
  });

  test('accepts ten nested objects with a leaf in the tenth, from a layer and from the enrollment, and no deeper ones', () => {
    const { twin } = decideWith(
      layers({ name: 'a', tags: { ...nested(10, 'l', 1) }, desired: { x: 1, deep: '=payload.deep' } }),
      {
        group: { initialTwin: { tags: nested(10, 'o', 'own'), properties: { desired: nested(12, 'o', 1) } } },
        context: { payload: { deep: nested(10, 'd', 1) } },
      },
    );

    expect(twin.twin).toEqual({
      tags: { ...nested(10, 'l', 1), ...nested(10, 'o', 'own') },
      desired: { x: 1, ...nested(12, 'o', 1) },
    });
    expect(twin.omitted.map(({ why }) => why)).toEqual(['a: is nested deeper than 10 levels']);
  });

  test('keeps everything that the enrollment sets', () => {
    const own = {
      tags: {
        $version: 3,
        'a.b': 1,
        'a b': { '': 'empty' },
        long: 'x'.repeat(5_000),
        big: 2 ** 60,
        list: [null, { a: null }],
        none: {},
      },
      properties: { desired: { more: 'y'.repeat(40_000), $metadata: { $lastUpdated: 'x' } }, later: [1] },
      deviceScope: 'ms-azure-iot-edge://x',
    };

    const decision = decideWith(layers({ name: 'a', tags: { site: 'ams' }, desired: { x: 1, more: 1 } }), {
      group: { initialTwin: own },
    });

    expect(answerOf(WEU, decision).initialTwin).toEqual({
      ...own,
      tags: { ...own.tags, site: 'ams' },
      // The value 1 replaces a longer text, so it has room. The value x came earlier and has no room.
      properties: { ...own.properties, desired: { ...own.properties.desired, more: 1 } },
    });
    expect(decision.twin.omitted).toEqual([
      { path: ['desired', 'x'], why: 'a: desired would be larger than 32768 bytes' },
    ]);
  });

  test.each<[string, object]>([
    ['only members that Berth does not know', { scope: 'x' }],
    ['keys that no twin can hold', { tags: { 'a.b': 1, $version: 2, 'c d': { '': 3 } } }],
    ['more levels than a twin allows', { tags: nested(12) }],
  ])('recomputes from a receipt when the enrollment has %s', (_, own) => {
    const input = {
      request: requestOf({ linkedHubs: [WEU], group: { initialTwin: own } }),
      fleet: fleetOf({ twins: layers({ name: 'a', tags: { site: 'ams' } }) }),
      conditions: NO_CONDITIONS,
      now: EPOCH,
    };
    const silent = { ...input, fleet: fleetOf() };

    for (const each of [input, silent]) {
      const receipt = receiptOf(each, decide(each));

      expect(receipt.twin.sent).toBe(true);
      expect(recompute(receipt, each.fleet).differences).toEqual([]);
    }
  });

  test('keeps unknown members of the enrollment’s twin and reads the known ones in any case', () => {
    const own = { Tags: { a: 1 }, PROPERTIES: { Desired: { b: 2 }, other: 3 }, scope: { c: null } };

    const decision = decideWith(layers(), { group: { initialTwin: own } });

    expect(answerOf(WEU, decision).initialTwin).toEqual({
      tags: { a: 1 },
      properties: { desired: { b: 2 }, other: 3 },
      scope: { c: null },
    });
  });

  test('keeps the existing value when nothing of the new object can be kept', () => {
    const { twin } = decideWith(
      layers(
        { name: 'a', tags: { site: 'ams', net: { dns: 'a' } } },
        { name: 'b', tags: { site: { long: '=payload.long' }, net: {}, other: { long: '=payload.long' } } },
      ),
      { context: { payload: { long: 'x'.repeat(5_000) } } },
    );

    expect(twin.twin?.tags).toEqual({ site: 'ams', net: { dns: 'a' } });
    expect(Object.fromEntries(twin.provenance)).toEqual({ 'tags.site': 'a', 'tags.net.dns': 'a' });
    expect(twin.beyondLimits).toBe(2);
  });

  test('counts keys in bytes, and deleted or replaced values free their room', () => {
    const many = (letter: string) =>
      Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`${letter}${'ä'.repeat(500)}${index}`, 1]));
    // Eight keys of 1,003 bytes, each with a value of one byte: 8,032 of the 8,192 bytes that tags may have.
    const first = { name: 'first', tags: { a: many('a') } };
    const second = { name: 'second', tags: { b: many('b') } };
    const keysOf = (...of: object[]) => {
      const tags = (decideWith(layers(...of)).twin.twin?.tags ?? {}) as Readonly<Record<string, object>>;
      return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, Object.keys(value).length]));
    };

    expect(keysOf(first, second)).toEqual({ a: 8 });
    expect(keysOf(first, { name: 'none', tags: { a: null } }, second)).toEqual({ b: 8 });
    expect(keysOf(first, { name: 'one', tags: { a: 1 } }, second)).toMatchObject({ b: 8 });
  });

  test('treats members that every object inherits like other keys', () => {
    const { twin } = decideWith(layers({ name: 'a', tags: { constructor: 1, valueOf: { toString: 2 } } }));

    expect(twin.twin?.tags).toEqual({ constructor: 1, valueOf: { toString: 2 } });
  });

  test('names the first twenty omitted paths with only the beginnings of long keys', () => {
    const long = 'k'.repeat(100);
    const payload = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`${long}${index}.`, 1]));

    const { twin } = decideWith(layers({ name: 'a', tags: { all: '=payload' } }), { context: { payload } });

    expect(twin.omitted).toHaveLength(21);
    expect(twin.omitted[0]?.path).toEqual(['tags', 'all', 'k'.repeat(64)]);
    expect(twin.omitted[20]).toEqual({ path: [], why: '5 more left out' });
  });

  test('is sent empty only when DPS would use the enrollment’s twin in its place', () => {
    const nothing = layers({ name: 'a', tags: { own: null } });
    const own = (initialTwin: object): RequestOptions => ({ group: { initialTwin } });

    expect(decideWith(nothing, own({ tags: { own: 1 } })).twin.twin).toEqual({ tags: {}, desired: {} });
    expect(decideWith(nothing, own({ tags: {} })).twin.twin).toBeUndefined();
  });

  test.each<[string, RequestOptions, boolean, RegExp]>([
    ['sent at the first assignment', {}, true, /sent/],
    [
      'sent when the hub is unchanged, because the device may have been deleted from it',
      { context: { currentIotHubHostName: WEU }, linkedHubs: [WEU] },
      true,
      /DPS ignores it unless the device was deleted from the hub/,
    ],
    [
      'sent when the hub is unchanged under reset',
      { context: { currentIotHubHostName: WEU }, group: { reprovisionPolicy: RESET } },
      true,
      /DPS ignores it/,
    ],
    [
      'sent when the enrollment never reprovisions',
      {
        context: { currentIotHubHostName: WEU },
        group: { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } },
        linkedHubs: [WEU],
      },
      true,
      /DPS ignores it/,
    ],
    [
      'sent when the hub changes under reset',
      { context: { currentIotHubHostName: 'old.azure-devices.net' }, group: { reprovisionPolicy: RESET } },
      true,
      /sent/,
    ],
    [
      'not sent when the hub changes under migrate',
      { context: { currentIotHubHostName: 'old.azure-devices.net' } },
      false,
      /migrates/,
    ],
    [
      'not sent when the policy is unset',
      {
        context: { currentIotHubHostName: 'old.azure-devices.net' },
        group: { reprovisionPolicy: undefined },
      },
      false,
      /migrates/,
    ],
  ])('is sent only when DPS will use it: %s', (_, request, sent, why) => {
    const { twin } = decideWith(layers({ name: 'base', tags: { a: 1 } }), request);

    expect(twin.twin !== undefined).toBe(sent);
    expect(twin.why).toMatch(why);
  });

  test('is not sent to a device that keeps its hub when twins.resendInitial is false', () => {
    const fleet = { resendInitial: false, ...layers({ name: 'base', tags: { a: 1 } }) };

    const stays = decideWith(fleet, { context: { currentIotHubHostName: WEU }, linkedHubs: [WEU] });
    const first = decideWith(fleet, {});

    expect(stays.twin).toMatchObject({
      twin: undefined,
      why: 'the hub is unchanged, and twins.resendInitial is false',
    });
    expect(first.twin.twin).toEqual({ tags: { a: 1 }, desired: {} });
  });

  test('is not sent when neither the enrollment nor a layer sets a value', () => {
    expect(decideWith({}).twin).toMatchObject({
      twin: undefined,
      why: 'neither the enrollment nor a layer sets anything',
    });
  });
});

describe('the answer to DPS', () => {
  test('has exactly the spelling that DPS reads', () => {
    const decision = decideWith(
      layers({ name: 'base', tags: { a: 1 }, desired: { b: 2 } }),
      {},
      { payload: { region: '=hub.region' } },
    );

    expect(answerOf('WEU.azure-devices.net', decision)).toEqual({
      iotHubHostName: 'WEU.azure-devices.net',
      initialTwin: { tags: { a: 1 }, properties: { desired: { b: 2 } } },
      payload: { region: 'westeurope' },
    });
  });

  test('has a payload of ASCII characters only, because the Node device SDK fails on others', () => {
    const decision = decideWith(
      {},
      { context: { payload: { city: 'Zürich', n: 1 } } },
      {
        payload: {
          city: '=payload.city',
          n: '=payload.n',
          list: ['=payload.city'],
          grüße: 1,
          deep: { a: 'ok', b: '¢' },
        },
      },
    );

    expect(answerOf(WEU, decision).payload).toEqual({ n: 1, deep: { a: 'ok' } });
    expect(decision.payload.omitted.map(({ path }) => path.join('.'))).toEqual([
      'city',
      'list',
      'grüße',
      'deep.b',
    ]);
  });

  test.each([
    [32_700, true],
    [32_800, false],
  ])('has a payload of %i bytes only if that is not too large (payload sent: %s)', (bytes, isThere) => {
    const payload = { a: 'x'.repeat(bytes / 2), b: 'x'.repeat(bytes / 2) };
    const { payload: built } = decideWith(
      {},
      { context: { payload } },
      { payload: { a: '=payload.a', b: '=payload.b' } },
    );

    expect(built.payload).toEqual(isThere ? payload : undefined);
    expect(built.omitted).toEqual(isThere ? [] : [{ path: [], why: 'the payload is larger than 32 KB' }]);
  });

  test('holds only the hub when there is no twin and no payload', () => {
    expect(answerOf(WEU, decideWith({}))).toEqual({ iotHubHostName: WEU });
  });
});
