import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { answerOf } from '../../src/allocation/decision/answer.ts';
import { type Decision, decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { fleetOf, type RequestOptions, requestOf } from './requests.ts';

const WEU = 'weu.azure-devices.net';
const RESET = { updateHubAssignment: true, migrateDeviceData: false };

function decideWith(twins: object, request: RequestOptions = {}, allocation: object = {}): Decision {
  return decide({
    request: requestOf({ linkedHubs: [WEU], ...request }),
    fleet: fleetOf({ twins, allocation }),
    conditions: NO_CONDITIONS,
    now: 0,
  });
}
const layers = (...initial: object[]) => ({ initial });
/** So many objects below a section, with a leaf in the last. */
const nested = (objects: number, key = 'a', leaf: JsonValue = 1): JsonObject => ({
  [key]: objects === 0 ? leaf : nested(objects - 1, key, leaf),
});

describe('the initial twin', () => {
  test('is the enrollment’s own with the layers on top, later ones winning per path', () => {
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

  test('sees the payload, the enrollment, the attestation and the hub', () => {
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

  test('leaves out what is unknown or breaks a limit, and says so', () => {
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
      'desired.blob.k8: big: desired has no room for it',
      'desired.blob.k9: big: desired has no room for it',
      'desired.blob.k10: big: desired has no room for it',
      'desired.blob.k11: big: desired has no room for it',
    ]);
  });

  test('takes ten objects with a leaf in the tenth, from a layer and from the enrollment, and no more', () => {
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

  test('leaves nothing of the enrollment’s own out, whatever Berth makes of it', () => {
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
      // 1 takes the place of a longer text, so that there is room for it; not for x, which came before.
      properties: { ...own.properties, desired: { ...own.properties.desired, more: 1 } },
    });
    expect(decision.twin.omitted).toEqual([{ path: ['desired', 'x'], why: 'a: desired has no room for it' }]);
  });

  test.each<[string, object]>([
    ['with members that nobody knows alone', { scope: 'x' }],
    ['with keys that no twin can hold', { tags: { 'a.b': 1, $version: 2, 'c d': { '': 3 } } }],
    ['deeper than a twin can be', { tags: nested(12) }],
  ])('recomputes from a receipt: one %s', (_, own) => {
    const input = {
      request: requestOf({ linkedHubs: [WEU], group: { initialTwin: own } }),
      fleet: fleetOf({ twins: layers({ name: 'a', tags: { site: 'ams' } }) }),
      conditions: NO_CONDITIONS,
      now: 0,
    };
    const silent = { ...input, fleet: fleetOf() };

    for (const each of [input, silent]) {
      const receipt = receiptOf(each, decide(each));

      expect(receipt.twin.sent).toBe(true);
      expect(recompute(receipt, each.fleet).differences).toEqual([]);
    }
  });

  test('keeps members of the enrollment’s twin that nobody knows, whatever the case of the others', () => {
    const own = { Tags: { a: 1 }, PROPERTIES: { Desired: { b: 2 }, other: 3 }, scope: { c: null } };

    const decision = decideWith(layers(), { group: { initialTwin: own } });

    expect(answerOf(WEU, decision).initialTwin).toEqual({
      tags: { a: 1 },
      properties: { desired: { b: 2 }, other: 3 },
      scope: { c: null },
    });
  });

  test('an object of which nothing can be kept leaves what was there', () => {
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

  test('keys weigh too, in bytes, and what is deleted or replaced gives its room back', () => {
    const many = (letter: string) =>
      Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`${letter}${'ä'.repeat(500)}${index}`, 1]));
    // Eight of 1,003 bytes and a byte for its value: 8,032 of the 8,192 that tags may have.
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

  test('members that objects inherit are keys like others', () => {
    const { twin } = decideWith(layers({ name: 'a', tags: { constructor: 1, valueOf: { toString: 2 } } }));

    expect(twin.twin?.tags).toEqual({ constructor: 1, valueOf: { toString: 2 } });
  });

  test('names the first twenty that are left out, by no more than the beginnings of their keys', () => {
    const long = 'k'.repeat(100);
    const payload = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`${long}${index}.`, 1]));

    const { twin } = decideWith(layers({ name: 'a', tags: { all: '=payload' } }), { context: { payload } });

    expect(twin.omitted).toHaveLength(21);
    expect(twin.omitted[0]?.path).toEqual(['tags', 'all', 'k'.repeat(64)]);
    expect(twin.omitted[20]).toEqual({ path: [], why: '5 more left out' });
  });

  test('an empty one is sent where the enrollment’s own would be used instead, and only there', () => {
    const nothing = layers({ name: 'a', tags: { own: null } });
    const own = (initialTwin: object): RequestOptions => ({ group: { initialTwin } });

    expect(decideWith(nothing, own({ tags: { own: 1 } })).twin.twin).toEqual({ tags: {}, desired: {} });
    expect(decideWith(nothing, own({ tags: {} })).twin.twin).toBeUndefined();
  });

  test.each<[string, RequestOptions, boolean, RegExp]>([
    ['at the first assignment', {}, true, /sent/],
    [
      'where the hub is unchanged, because the device may have been deleted from it',
      { context: { currentIotHubHostName: WEU }, linkedHubs: [WEU] },
      true,
      /DPS ignores it unless the device was deleted from the hub/,
    ],
    [
      'where the hub is unchanged under reset',
      { context: { currentIotHubHostName: WEU }, group: { reprovisionPolicy: RESET } },
      true,
      /DPS ignores it/,
    ],
    [
      'where the enrollment never reprovisions',
      {
        context: { currentIotHubHostName: WEU },
        group: { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } },
        linkedHubs: [WEU],
      },
      true,
      /DPS ignores it/,
    ],
    [
      'where the hub changes under reset',
      { context: { currentIotHubHostName: 'old.azure-devices.net' }, group: { reprovisionPolicy: RESET } },
      true,
      /sent/,
    ],
    [
      'not where the hub changes under migrate',
      { context: { currentIotHubHostName: 'old.azure-devices.net' } },
      false,
      /migrates/,
    ],
    [
      'not where the policy is unset',
      {
        context: { currentIotHubHostName: 'old.azure-devices.net' },
        group: { reprovisionPolicy: undefined },
      },
      false,
      /migrates/,
    ],
  ])('is sent only where DPS will use it: %s', (_, request, sent, why) => {
    const { twin } = decideWith(layers({ name: 'base', tags: { a: 1 } }), request);

    expect(twin.twin !== undefined).toBe(sent);
    expect(twin.why).toMatch(why);
  });

  test('is not sent to a device that keeps its hub where twins.resendInitial is false', () => {
    const fleet = { resendInitial: false, ...layers({ name: 'base', tags: { a: 1 } }) };

    const stays = decideWith(fleet, { context: { currentIotHubHostName: WEU }, linkedHubs: [WEU] });
    const first = decideWith(fleet, {});

    expect(stays.twin).toMatchObject({
      twin: undefined,
      why: 'the hub is unchanged, and twins.resendInitial is false',
    });
    expect(first.twin.twin).toEqual({ tags: { a: 1 }, desired: {} });
  });

  test('is not sent where nobody sets anything', () => {
    expect(decideWith({}).twin).toMatchObject({
      twin: undefined,
      why: 'neither the enrollment nor a layer sets anything',
    });
  });
});

describe('the answer', () => {
  test('is spelt exactly as DPS reads it', () => {
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

  test('holds a payload of ASCII only, because the Node device SDK breaks on anything else', () => {
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
  ])('holds no payload of %i bytes where that is too large', (bytes, isThere) => {
    const payload = { a: 'x'.repeat(bytes / 2), b: 'x'.repeat(bytes / 2) };
    const { payload: built } = decideWith(
      {},
      { context: { payload } },
      { payload: { a: '=payload.a', b: '=payload.b' } },
    );

    expect(built.payload).toEqual(isThere ? payload : undefined);
    expect(built.omitted).toEqual(isThere ? [] : [{ path: [], why: 'the payload is larger than 32 KB' }]);
  });

  test('is nothing but the hub where nothing else is to be said', () => {
    expect(answerOf(WEU, decideWith({}))).toEqual({ iotHubHostName: WEU });
  });
});
