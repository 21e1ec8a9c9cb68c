import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { type DecideInput, decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { inputPathText, pathOf } from '../../src/allocation/receipt/receipt-inputs.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { EPOCH } from '../../src/time/epoch-ms.ts';
import { fleetOf, requestOf } from './requests.ts';

/** A receipt stores an input of a device only if the decision read it. */

function receiptFor(payload: JsonValue, fleet: Fleet): Receipt {
  const input: DecideInput = {
    request: requestOf({ context: { payload } }),
    fleet,
    conditions: NO_CONDITIONS,
    now: EPOCH,
  };
  return JSON.parse(JSON.stringify(receiptOf(input, decide(input)))) as Receipt;
}
const fleetReading = (when: string) => fleetOf({ allocation: { rules: [{ name: 'r', when, deny: 'no' }] } });
const fleetTagging = (tags: object, redact: readonly string[] = []) =>
  fleetOf({ twins: { initial: [{ name: 'base', tags }], redact } });

describe('the inputs in a receipt', () => {
  test('are stored exactly as they were read', () => {
    const { inputs } = receiptFor(
      { site: { name: 'ams', floor: 3 }, secret: 'hunter2' },
      fleetReading("payload.site.name == 'x' || payload['a.b'] == 1"),
    );

    expect(inputs.read).toEqual({ 'payload.site.name': 'ams' });
    expect(inputs.notKept).toEqual({});
  });

  test.each<[string, JsonValue, object]>([
    ['a text of 512 characters is stored', 'x'.repeat(512), {}],
    ['a longer text is not stored', 'x'.repeat(513), { why: 'too long', of: 'text', bytes: 513 }],
    [
      'a text with more bytes than characters is not stored',
      'ä'.repeat(513),
      { why: 'too long', of: 'text', bytes: 1_026 },
    ],
    ['a longer object is not stored', { a: 'x'.repeat(600) }, { why: 'too long', of: 'json', bytes: 608 }],
  ])('respect the limit of 512 bytes: %s', (_, site, notKept) => {
    const { inputs } = receiptFor({ site }, fleetTagging({ site: '=payload.site' }));

    expect(inputs.read['payload.site'] ?? null).toEqual(Object.keys(notKept).length === 0 ? site : null);
    expect(inputs.notKept['payload.site'] ?? {}).toMatchObject(notKept);
  });

  test('are measured once for all paths that end in the same long value', () => {
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
    ['all of a few keys', 5, 3, 5],
    ['the first fifty of many keys', 60, 3, 50],
    ['no keys when the keys are too long', 50, 20, 0],
  ])('list only keys of a whole payload: %s', (_, count, length, kept) => {
    const payload = Object.fromEntries(
      Array.from({ length: count }, (_unused, index) => [`${index}`.padStart(length, 'k'), 'hunter2']),
    );

    const { inputs } = receiptFor(payload, fleetReading('size(payload) > 3'));

    expect(inputs.read).toEqual({});
    expect(inputs.notKept).toEqual({
      payload: { why: 'whole', keys: Object.keys(payload).slice(0, kept) },
    });
  });

  test('hold no value that an expression writes to a redacted path', () => {
    const fleet = fleetTagging({ wifi: { psk: '=payload.net.psk' }, all: '=payload.net' }, ['wifi.psk']);

    const { inputs } = receiptFor({ net: { psk: 'hunter2', ssid: 'x' } }, fleet);

    expect(inputs.read).toEqual({});
    expect(inputs.notKept).toEqual({
      'payload.net.psk': { why: 'redacted' },
      'payload.net': { why: 'redacted' },
    });
  });

  test('hold the source of at most two hundred paths and 8,000 characters', () => {
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

describe('a receipt that is recomputed', () => {
  test.each<[string, JsonValue, string]>([
    ['a stand-in that the device invented', { kept: 'hash', why: 'redacted', bytes: 9 }, 'payload.site.why'],
    ['a key that contains a dot', { 'a.b': 5 }, "payload.site['a.b']"],
    ['a key that contains a quote', { 'a"b': 5 }, "payload.site['a\"b']"],
    ['an empty key', { '': 5 }, "payload.site['']"],
    ['a text in the place of an object', 'text', 'payload.site.name'],
    ['an object without the key', {}, 'payload.site.name'],
    ['a null value', null, 'payload.site.name'],
    ['a member that every object inherits', {}, 'payload.site.constructor'],
  ])('gives the same decision with %s', (_, site, path) => {
    const fleet = fleetOf({
      allocation: { rules: [{ name: 'r', when: `${path} == 5`, deny: 'no' }] },
      twins: { initial: [{ name: 'base', when: `has(payload.site.name)`, tags: { site: `=${path}` } }] },
    });

    const made = receiptFor({ site }, fleet);

    expect(recompute(made, fleet)).toMatchObject({ differences: [], notKept: [] });
  });

  test('counts an input that was not stored as missing', () => {
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
])('the path %j is written as %s and parsed back', (path, text) => {
  expect(inputPathText(path)).toBe(text);
  expect(pathOf(text)).toEqual(path);
});
