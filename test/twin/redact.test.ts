import { describe, expect, test } from '@jest/globals';
import type { JsonObject, JsonValue } from '../../src/json.ts';
import { adoptTwin, foldEvent } from '../../src/twin/fold.ts';
import {
  holdsRedacted,
  NO_REDACTION,
  type Redaction,
  redactEvent,
  redactKept,
  redactTwin,
  sameBesidesRedacted,
} from '../../src/twin/redact.ts';
import type { Shadow } from '../../src/twin/shadow.ts';
import { at, reports, shadowOf, twinOf } from './twins.ts';

const SECRET = 'hunter2';
const KEY = Buffer.alloc(32, 1);
const redacting = (...paths: readonly (readonly string[])[]): Redaction => ({ paths, key: KEY });
const PSK = redacting(['wifi', 'psk']);
const HASH = expect.stringMatching(/^redacted:[0-9a-f]{24}$/);

/** What is known after the device has reported. */
function reported(shadow: Shadow, values: JsonObject, redaction: Redaction): JsonObject {
  const event = redactEvent(reports(shadow, 1, values), redaction);
  const known = foldEvent({ kind: 'shadow', shadow }, event, []);
  if (known.kind !== 'shadow') throw new Error(`there is no shadow but ${known.kind}`);
  return known.shadow.reported;
}
const hashOf = (value: JsonValue, redaction = PSK): JsonValue | undefined => {
  const { values } = redactTwin(twinOf({ reported: { wifi: { psk: value } } }), redaction).reported;
  return (values.wifi as JsonObject).psk;
};

describe('a redacted value that a device reports', () => {
  test.each<[string, JsonObject, object]>([
    ['plainly', { wifi: { ssid: 'x', psk: SECRET } }, { wifi: { ssid: 'x', psk: HASH } }],
    [
      'with an acknowledgement of its own',
      { wifi: { psk: { value: SECRET, ac: 200, av: 1 } } },
      { wifi: { psk: { value: HASH } } },
    ],
    [
      'within an object that it acknowledges as a whole',
      { wifi: { value: { ssid: 'x', psk: SECRET }, ac: 200, av: 1 } },
      { wifi: { value: { ssid: 'x', psk: HASH }, ac: 200, av: 1 } },
    ],
    ['as an object', { wifi: { psk: { a: SECRET, b: [SECRET] } } }, { wifi: { psk: { a: HASH, b: HASH } } }],
    ['as a number', { wifi: { psk: 12345678 } }, { wifi: { psk: HASH } }],
  ])('is not kept: %s', (_, values, kept) => {
    const after = reported(shadowOf(), values, PSK);

    expect(JSON.stringify(after)).not.toMatch(/hunter2|12345678/);
    expect(after).toMatchObject(kept);
  });

  test('is not kept within an acknowledgement of an object further up', () => {
    const values = { net: { value: { wifi: { psk: SECRET } }, ac: 200, av: 1 } };

    expect(JSON.stringify(reported(shadowOf(), values, redacting(['net', 'wifi', 'psk'])))).not.toContain(
      SECRET,
    );
  });

  test('takes nothing from its neighbours, and its deletion stays one', () => {
    const shadow = shadowOf({ reported: { wifi: { ssid: 'x', psk: 'redacted:0' } } });

    expect(reported(shadow, { wifi: { psk: null } }, PSK)).toEqual({ wifi: { ssid: 'x' } });
  });
});

test('a redacted object that is changed in part is what a reading of the twin would make of it', () => {
  const redaction = redacting(['wifi']);
  const read = (wifi: JsonObject) => redactTwin(twinOf({ reported: { wifi } }), redaction);
  const shadow = adoptTwin(shadowOf(), read({ ssid: 'a', psk: SECRET }), at(0), []);

  expect(reported(shadow, { wifi: { ssid: 'c' } }, redaction)).toEqual(
    read({ ssid: 'c', psk: SECRET }).reported.values,
  );
});

describe('a hash', () => {
  test('tells whether the value has changed, and no more', () => {
    expect(hashOf(SECRET)).toEqual(hashOf(SECRET));
    expect(hashOf(SECRET)).not.toEqual(hashOf('hunter3'));
    expect(hashOf(SECRET)).not.toEqual(hashOf(SECRET, { ...PSK, key: Buffer.alloc(32, 2) }));
  });

  test('says nothing at all without a key', () => {
    expect(hashOf(SECRET, { ...PSK, key: undefined })).toBe('redacted:');
  });

  test('is not hashed again', () => {
    const once = redactTwin(twinOf({ reported: { wifi: { psk: SECRET } } }), PSK);

    expect(redactTwin(once, PSK)).toEqual(once);
  });

  test.each<[JsonValue, boolean]>([
    ['redacted:0123', true],
    ['id-redacted:0123', true],
    [{ a: [1, { b: 'redacted:0123' }] }, true],
    [{ redacted: 'a' }, false],
    ['', false],
    [5, false],
    [null, false],
  ])('is found wherever it stands: %j', (value, holds) => {
    expect(holdsRedacted(value)).toBe(holds);
  });
});

describe('what was stored before its path was redacted', () => {
  const shadow = shadowOf({
    tags: { wifi: { psk: SECRET } },
    desired: { wifi: { psk: SECRET }, interval: 5 },
    reported: { wifi: { value: { ssid: 'x', psk: SECRET }, ac: 200 } },
  });

  test('is taken out, and nothing else is', () => {
    expect(redactKept(shadow, PSK)).toEqual({
      ...shadow,
      tags: { wifi: { psk: HASH } },
      desired: { wifi: { psk: HASH }, interval: 5 },
      reported: { wifi: { value: { ssid: 'x', psk: HASH }, ac: 200 } },
    });
  });

  test('stays as it is where nothing is redacted', () => {
    expect(redactKept(shadow, NO_REDACTION)).toBe(shadow);
  });

  test.each<[string, JsonValue | undefined, JsonValue | undefined, boolean]>([
    ['the one is redacted, the other not yet', { psk: 'redacted:1' }, { psk: SECRET }, true],
    ['and the other way round', { psk: SECRET }, { psk: 'redacted:1' }, true],
    ['both are, and differ', { psk: 'redacted:1' }, { psk: 'redacted:2' }, false],
    ['neither is, and they differ', { psk: SECRET }, { psk: 'hunter3' }, false],
    ['only one of them is there', { psk: 'redacted:1' }, {}, false],
    ['something else differs', { psk: 'redacted:1', a: 1 }, { psk: SECRET, a: 2 }, false],
    ['a name that every object has', { constructor: 'redacted:1' }, {}, false],
    ['nothing differs', { a: { b: [1] } }, { a: { b: [1] } }, true],
  ])('and what a hub has, compared: %s', (_, one, other, same) => {
    expect(sameBesidesRedacted(one, other)).toBe(same);
  });
});
