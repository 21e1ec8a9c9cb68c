import { describe, expect, test } from '@jest/globals';
import { twinSizeOf } from '../../src/iot-hub/twin-limits.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { adoptTwin, applyEvent } from '../../src/twin/events/apply-event.ts';
import {
  NO_REDACTION,
  type Redaction,
  redactEvent,
  redactKept,
  redactTwin,
  sameBesidesRedacted,
} from '../../src/twin/events/redact.ts';
import { holdsRedacted } from '../../src/twin/redaction/redact-values.ts';
import { mergePatch } from '../../src/twin/snapshot/merge.ts';
import { NO_HISTORY, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { fc } from '../support/properties.ts';
import { at, reports, snapshotOf, twinOf } from './twins.ts';

const SECRET = 'hunter2';
const KEY = Buffer.alloc(32, 1);
const redacting = (...paths: readonly (readonly string[])[]): Redaction => ({ paths, key: KEY });
const PSK = redacting(['wifi', 'psk']);
const HASH = expect.stringMatching(/^redacted:[0-9a-f]{24}$/);

/** What is known after the device has reported. */
function reported(snapshot: Snapshot, values: JsonObject, redaction: Redaction): JsonObject {
  const event = redactEvent(reports(snapshot, 1, values), redaction);
  const known = applyEvent({ kind: 'snapshot', snapshot }, event, []);
  if (known.kind !== 'snapshot') throw new Error(`there is no snapshot but ${known.kind}`);
  return known.snapshot.reported;
}
const hashOf = (value: JsonValue, redaction = PSK): JsonValue | undefined => {
  const { values } = redactTwin(twinOf({ reported: { wifi: { psk: value } } }), redaction).reported;
  return (values.wifi as JsonObject).psk;
};

describe('a redacted value that a device reports', () => {
  test.each<[string, JsonObject, object]>([
    ['as a plain value', { wifi: { ssid: 'x', psk: SECRET } }, { wifi: { ssid: 'x', psk: HASH } }],
    [
      'with its own acknowledgement',
      { wifi: { psk: { value: SECRET, ac: 200, av: 1 } } },
      { wifi: { psk: { value: HASH } } },
    ],
    [
      'inside an object that is acknowledged as a whole',
      { wifi: { value: { ssid: 'x', psk: SECRET }, ac: 200, av: 1 } },
      { wifi: { value: { ssid: 'x', psk: HASH }, ac: 200, av: 1 } },
    ],
    ['as an object', { wifi: { psk: { a: SECRET, b: [SECRET] } } }, { wifi: { psk: { a: HASH, b: HASH } } }],
    ['as a number', { wifi: { psk: 12345678 } }, { wifi: { psk: HASH } }],
    ['in a list', { wifi: [{ psk: SECRET, ssid: 'x' }] }, { wifi: [{ psk: HASH, ssid: 'x' }] }],
    ['in a list of lists', { wifi: [[{ psk: SECRET, ssid: 'x' }]] }, { wifi: [[{ psk: HASH, ssid: 'x' }]] }],
    ['as an item of a list', { wifi: [{ ssid: 'x' }, SECRET] }, { wifi: [{ ssid: 'x' }, HASH] }],
    ['as a text in the place of an object', { wifi: SECRET, a: 'x' }, { wifi: HASH, a: 'x' }],
    ['as a number in the place of an object', { wifi: 12345678 }, { wifi: HASH }],
    ['as a list at the end of the path', { wifi: { psk: [SECRET, 12345678] } }, { wifi: { psk: HASH } }],
    ['below the end of the path', { wifi: { psk: { a: { b: [{ c: SECRET }] } } } }, { wifi: {} }],
    [
      'in a list inside an acknowledgement',
      { wifi: { value: [{ psk: SECRET, ssid: 'x' }], ac: 200 } },
      { wifi: { value: [{ psk: HASH, ssid: 'x' }], ac: 200 } },
    ],
    [
      'as an acknowledged text in the place of an object',
      { wifi: { value: SECRET, ac: 200 } },
      { wifi: { value: HASH, ac: 200 } },
    ],
    [
      'in the words of an acknowledgement as in IoT Central',
      { wifi: { ssid: 'x', status: 'failed', statusCode: 400, message: `${SECRET} is bad` } },
      { wifi: { ssid: 'x', status: 'failed', statusCode: 400, message: HASH } },
    ],
    [
      'as a value that is acknowledged as in IoT Central',
      { wifi: { value: SECRET, statusCode: 200 } },
      { wifi: { value: HASH, statusCode: 200 } },
    ],
    [
      'in the words of a refusal',
      { wifi: { value: { ssid: 'x' }, ac: 400, ad: `${SECRET} is bad` } },
      { wifi: { value: { ssid: 'x' }, ac: 400, ad: HASH } },
    ],
    [
      'in the words of a refusal without a value',
      { wifi: { ac: 400, ad: SECRET } },
      { wifi: { ac: 400, ad: HASH } },
    ],
    ['with a forged hash', { wifi: { psk: `redacted:${SECRET}` } }, { wifi: { psk: HASH } }],
    ['under a name that every object has', { wifi: { psk: { constructor: SECRET } } }, { wifi: {} }],
  ])('is not stored: %s', (_, values, kept) => {
    const after = reported(snapshotOf(), values, PSK);

    expect(JSON.stringify(after)).not.toMatch(/hunter2|12345678/);
    expect(after).toMatchObject(kept);
  });

  test('is not stored when an enclosing object is acknowledged', () => {
    const values = { net: { value: { wifi: { psk: SECRET } }, ac: 200, av: 1 } };

    expect(JSON.stringify(reported(snapshotOf(), values, redacting(['net', 'wifi', 'psk'])))).not.toContain(
      SECRET,
    );
  });

  test.each<[string, JsonObject]>([
    ['a key named value that is not part of an acknowledgement', { wifi: { value: 5, ad: 'x', psk: null } }],
    ['a number named ac with another meaning', { wifi: { value: 5, ac: 1, ad: 'x' } }],
    ['the words of an acknowledgement next to it', { a: { value: 5, ac: 400, ad: 'x' }, wifi: null }],
    ['an empty object and an empty list', { wifi: {}, psk: [] }],
    ['the same key in another place', { psk: 'x', a: { wifi: { psk: 'x' } } }],
  ])('leaves other data unchanged: %s', (_, values) => {
    const twin = twinOf({ reported: values });

    expect(redactTwin(twin, PSK).reported.values).toBe(twin.reported.values);
  });

  test('leaves its neighbours unchanged, and its deletion is still a deletion', () => {
    const snapshot = snapshotOf({ reported: { wifi: { ssid: 'x', psk: 'redacted:0' } } });

    expect(reported(snapshot, { wifi: { psk: null } }, PSK)).toEqual({ wifi: { ssid: 'x' } });
  });
});

test('a redacted object that changes in part equals the result of a full read', () => {
  const redaction = redacting(['wifi']);
  const read = (wifi: JsonObject) => redactTwin(twinOf({ reported: { wifi } }), redaction);
  const snapshot = adoptTwin(snapshotOf(), read({ ssid: 'a', psk: SECRET }), at(0), []);

  expect(reported(snapshot, { wifi: { ssid: 'c' } }, redaction)).toEqual(
    read({ ssid: 'c', psk: SECRET }).reported.values,
  );
});

describe('the hash of a redacted value', () => {
  test('shows whether the value has changed and nothing else', () => {
    expect(hashOf(SECRET)).toEqual(hashOf(SECRET));
    expect(hashOf(SECRET)).not.toEqual(hashOf('hunter3'));
    expect(hashOf(SECRET)).not.toEqual(hashOf(SECRET, { ...PSK, key: Buffer.alloc(32, 2) }));
  });

  test.each(['redacted:', 'redacted:0', `redacted:${'0'.repeat(24)}`, 'redacted:0123456789abcdef01234567'])(
    'is not trusted when Berth has not made it: %s',
    (fake) => {
      const snapshot = snapshotOf({ tags: { wifi: { psk: fake } }, desired: { wifi: { psk: { a: fake } } } });

      expect(hashOf(fake)).toEqual(HASH);
      expect(hashOf(fake)).not.toBe(fake);
      expect(redactKept(snapshot, PSK)).toMatchObject({
        tags: { wifi: { psk: hashOf(fake) } },
        desired: { wifi: { psk: { a: hashOf(fake) } } },
      });
    },
  );

  test('is treated like any other value when another key made it', () => {
    const other = { ...PSK, key: Buffer.alloc(32, 2) };
    const once = redactTwin(twinOf({ reported: { wifi: { psk: SECRET } } }), other);

    expect(redactTwin(once, PSK)).not.toEqual(once);
  });

  test('is a fixed text without a key', () => {
    expect(hashOf(SECRET, { ...PSK, key: undefined })).toBe('redacted:');
  });

  test('is not hashed again', () => {
    for (const wifi of [{ psk: SECRET }, SECRET, [SECRET, { psk: [SECRET] }], { psk: { a: [SECRET] } }]) {
      const once = redactTwin(twinOf({ tags: { wifi }, reported: { wifi } }), PSK);

      expect(redactTwin(once, PSK)).toEqual(once);
    }
  });

  test.each<[JsonValue, boolean]>([
    ['redacted:0123', true],
    ['id-redacted:0123', true],
    [{ a: [1, { b: 'redacted:0123' }] }, true],
    [{ redacted: 'a' }, false],
    ['', false],
    [5, false],
    [null, false],
  ])('is found in any place of a value: %j', (value, holds) => {
    expect(holdsRedacted(value)).toBe(holds);
  });
});

describe('a snapshot that was stored before its path was redacted', () => {
  const snapshot = snapshotOf({
    tags: { wifi: { psk: SECRET } },
    desired: { wifi: { psk: SECRET }, interval: 5 },
    reported: { wifi: { value: { ssid: 'x', psk: SECRET }, ac: 200 } },
  });

  test('loses the redacted value and nothing else, and its size stays known', () => {
    expect(redactKept(snapshot, PSK)).toEqual({
      ...snapshot,
      tags: { wifi: { psk: HASH } },
      desired: { wifi: { psk: HASH }, interval: 5 },
      desiredBytes: twinSizeOf(snapshot.desired),
      reported: { wifi: { value: { ssid: 'x', psk: HASH }, ac: 200 } },
    });
  });

  test('loses the remembered writes of that value too', () => {
    const history = { ...NO_HISTORY, rejected: [{ policy: 'p', value: SECRET, why: `no ${SECRET}` }] };
    const kept = redactKept(
      snapshotOf({
        paths: { 'wifi.psk': history, wifi: history, interval: NO_HISTORY },
        writing: [
          { path: ['wifi', 'psk'], policy: 'p', by: 'p', value: SECRET },
          { path: ['interval'], policy: 'p', by: 'p', value: 5 },
        ],
        lastReconcile: { ...snapshot.lastReconcile, why: `wifi.psk the device answered 400: ${SECRET}` },
        workItem: {
          priority: 'drift',
          at: epochMs(1),
          why: `wifi the device answered 500: ${SECRET}`,
          tries: 0,
        },
      }),
      PSK,
    );

    expect(JSON.stringify(kept)).not.toContain(SECRET);
    expect(Object.keys(kept.paths)).toEqual(['interval']);
    expect(kept.writing).toEqual([expect.objectContaining({ path: ['interval'] })]);
    expect(kept.lastReconcile.why).toBe('wifi.psk is redacted now');
  });

  test('keeps a list whose items were redacted one by one, and they are not hashed again', () => {
    const before = redactKept(snapshotOf({ desired: { wifi: [{ psk: SECRET, ssid: 'x' }] } }), PSK);
    const after = redactKept(before, redacting(['wifi']));
    const read = redactTwin(twinOf({ desired: { wifi: [{ psk: SECRET, ssid: 'x' }] } }), redacting(['wifi']));

    expect(after.desired).toEqual({ wifi: [{ psk: HASH, ssid: HASH }] });
    expect(sameBesidesRedacted(read.desired.values, after.desired)).toBe(true);
  });

  test('is unchanged when no path is redacted', () => {
    expect(redactKept(snapshot, NO_REDACTION)).toBe(snapshot);
  });

  test.each<[string, JsonValue | undefined, JsonValue | undefined, boolean]>([
    ['only the first value is redacted', { psk: 'redacted:1' }, { psk: SECRET }, true],
    ['only the second value is redacted', { psk: SECRET }, { psk: 'redacted:1' }, true],
    ['both values are redacted and differ', { psk: 'redacted:1' }, { psk: 'redacted:2' }, false],
    ['both values are plain and differ', { psk: SECRET }, { psk: 'hunter3' }, false],
    ['only one of the values exists', { psk: 'redacted:1' }, {}, false],
    ['another value differs', { psk: 'redacted:1', a: 1 }, { psk: SECRET, a: 2 }, false],
    ['the path has a name that every object has', { constructor: 'redacted:1' }, {}, false],
    ['the values are in lists', { a: [{ psk: 'redacted:1', b: 1 }] }, { a: [{ psk: SECRET, b: 1 }] }, true],
    [
      'another value in a list differs',
      { a: [{ psk: 'redacted:1', b: 1 }] },
      { a: [{ psk: 'x', b: 2 }] },
      false,
    ],
    ['a list has become longer', ['redacted:1'], ['redacted:1', 2], false],
    ['a list was redacted as a whole', { psk: 'redacted:1' }, { psk: [SECRET] }, true],
    ['no value differs', { a: { b: [1] } }, { a: { b: [1] } }, true],
  ])('is compared with the hub’s twin: %s', (_, one, other, same) => {
    expect(sameBesidesRedacted(one, other)).toBe(same);
  });
});

describe('redaction by patches and redaction of the whole twin', () => {
  const value = fc.letrec<{ json: JsonValue }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonValue>(SECRET, 5, true, `redacted:${SECRET}`),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('wifi', 'psk', 'value', 'ac', 'ad', 'a'), tie('json'), { maxKeys: 4 }),
    ),
  })).json;
  const section = fc.dictionary(fc.constantFrom('wifi', 'psk', 'a'), value, { maxKeys: 3 });

  test('give the same result', () => {
    fc.assert(
      fc.property(section, section, (first, second) => {
        const patched = redactKept(
          { tags: {}, desired: {}, reported: mergePatch(redact(first), redact(second)) },
          PSK,
        ).reported;
        const read = redact(mergePatch(first, second));

        expect(sameBesidesRedacted(patched, read)).toBe(true);
        expect(redact(read)).toEqual(read);
      }),
      { numRuns: 500 },
    );
  });

  test('leave no secret at a redacted path in any form', () => {
    fc.assert(
      fc.property(value, (wifi) => {
        const hidden = JSON.stringify(redact({ wifi: { psk: wifi } }));

        expect(hidden).not.toContain(SECRET);
      }),
    );
  });

  function redact(values: JsonObject): JsonObject {
    return redactTwin(twinOf({ reported: values }), PSK).reported.values;
  }
});
