import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { type DecideInput, decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { pathOf, pathText } from '../../src/allocation/receipt/receipt-inputs.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { fleetOf, requestOf } from './requests.ts';

/** What a device sends is in a receipt as far as it was read, and no further. */

function receiptFor(payload: JsonValue, fleet: Fleet): Receipt {
  const input: DecideInput = {
    request: requestOf({ context: { payload } }),
    fleet,
    conditions: NO_CONDITIONS,
    now: 0,
  };
  return JSON.parse(JSON.stringify(receiptOf(input, decide(input)))) as Receipt;
}
const fleetReading = (when: string) => fleetOf({ allocation: { rules: [{ name: 'r', when, deny: 'no' }] } });
const fleetTagging = (tags: object, redact: readonly string[] = []) =>
  fleetOf({ twins: { initial: [{ name: 'base', tags }], redact } });

describe('what is kept', () => {
  test('is what was read, as it was', () => {
    const { inputs } = receiptFor(
      { site: { name: 'ams', floor: 3 }, secret: 'hunter2' },
      fleetReading("payload.site.name == 'x' || payload['a.b'] == 1"),
    );

    expect(inputs.read).toEqual({ 'payload.site.name': 'ams' });
    expect(inputs.notKept).toEqual({});
  });

  test.each<[string, JsonValue, object]>([
    ['a text of 512 characters', 'x'.repeat(512), {}],
    ['a text of more', 'x'.repeat(513), { why: 'too long', of: 'text', bytes: 513 }],
    ['a text of so many bytes', 'ä'.repeat(513), { why: 'too long', of: 'text', bytes: 1_026 }],
    ['an object of more', { a: 'x'.repeat(600) }, { why: 'too long', of: 'json', bytes: 608 }],
  ])('%s', (_, site, notKept) => {
    const { inputs } = receiptFor({ site }, fleetTagging({ site: '=payload.site' }));

    expect(inputs.read['payload.site'] ?? null).toEqual(Object.keys(notKept).length === 0 ? site : null);
    expect(inputs.notKept['payload.site'] ?? {}).toMatchObject(notKept);
  });

  test('is looked at once, however many paths end at it: a device chooses how long it is', () => {
    const paths = Array.from({ length: 30 }, (_, index) => `payload.site.k${index} == 1`).join(' || ');
    let looks = 0;
    const spy = {
      toJSON: () => {
        looks += 1;
        return 'x'.repeat(1_000);
      },
    };

    const { inputs } = receiptFor({ site: [spy as unknown as JsonValue] }, fleetReading(paths));

    expect(inputs.notKept).toEqual({ 'payload.site': expect.objectContaining({ why: 'too long' }) });
    expect(looks).toBe(1);
  });

  test.each<[string, number, number, number]>([
    ['few keys', 5, 3, 5],
    ['the first fifty of many keys', 60, 3, 50],
    ['no keys where they are long', 50, 20, 0],
  ])('of a whole payload: %s', (_, count, length, kept) => {
    const payload = Object.fromEntries(
      Array.from({ length: count }, (_unused, index) => [`${index}`.padStart(length, 'k'), 'hunter2']),
    );

    const { inputs } = receiptFor(payload, fleetReading('size(payload) > 3'));

    expect(inputs.read).toEqual({});
    expect(inputs.notKept).toEqual({
      payload: { why: 'whole', keys: Object.keys(payload).slice(0, kept) },
    });
  });

  test('nothing of what goes into a place of the twin that is redacted, by whatever way', () => {
    const fleet = fleetTagging({ wifi: { psk: '=payload.net.psk' }, all: '=payload.net' }, ['wifi.psk']);

    const { inputs } = receiptFor({ net: { psk: 'hunter2', ssid: 'x' } }, fleet);

    expect(inputs.read).toEqual({});
    expect(inputs.notKept).toEqual({
      'payload.net.psk': { why: 'redacted' },
      'payload.net': { why: 'redacted' },
    });
  });

  test('provenance of two hundred paths, and of 8,000 characters of them', () => {
    const leaves = (count: number, length: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`.padStart(length, 'k'), 1]));
    const twinOf = (all: object) =>
      receiptFor({ all: all as JsonValue }, fleetTagging({ all: '=payload.all' })).twin;

    const many = twinOf(leaves(250, 4));
    const long = twinOf(leaves(100, 70));

    expect([Object.keys(many.provenance).length, many.morePaths]).toEqual([200, 50]);
    expect(JSON.stringify(long.provenance).length).toBeLessThan(9_000);
    expect(Object.keys(long.provenance).length + (long.morePaths ?? 0)).toBe(100);
  });
});

describe('recomputed, it is the same, or the receipt says what it lacks', () => {
  test.each<[string, JsonValue, string]>([
    ['stand-ins that a device makes up', { kept: 'hash', why: 'redacted', bytes: 9 }, 'payload.site.why'],
    ['a key with a dot', { 'a.b': 5 }, "payload.site['a.b']"],
    ['a key with a quote', { 'a"b': 5 }, "payload.site['a\"b']"],
    ['an empty key', { '': 5 }, "payload.site['']"],
    ['a text where an object is asked for', 'text', 'payload.site.name'],
    ['an object without the key', {}, 'payload.site.name'],
    ['null', null, 'payload.site.name'],
    ['inherited members', {}, 'payload.site.constructor'],
  ])('%s', (_, site, path) => {
    const fleet = fleetOf({
      allocation: { rules: [{ name: 'r', when: `${path} == 5`, deny: 'no' }] },
      twins: { initial: [{ name: 'base', when: `has(payload.site.name)`, tags: { site: `=${path}` } }] },
    });

    const made = receiptFor({ site }, fleet);

    expect(recompute(made, fleet)).toMatchObject({ differences: [], notKept: [] });
  });

  test('a rule that reads what is not kept counts it as missing', () => {
    const fleet = fleetOf({
      allocation: { rules: [{ name: 'r', when: "payload.psk == 'hunter2'", deny: 'no' }] },
      twins: { initial: [{ name: 'base', tags: { psk: '=payload.psk' } }], redact: ['psk'] },
    });

    const again = recompute(receiptFor({ psk: 'hunter2' }, fleet), fleet);

    expect(again.notKept).toEqual(['payload.psk']);
    expect(again.receipt.rules).toMatchObject([{ name: 'r', result: 'unknown' }]);
  });
});

test.each([
  [['payload', 'site'], 'payload.site'],
  [['payload', 'a.b', 'c"d', ''], 'payload."a.b"."c\\"d".""'],
])('the path %j is written %s, and read again', (path, text) => {
  expect(pathText(path)).toBe(text);
  expect(pathOf(text)).toEqual(path);
});
