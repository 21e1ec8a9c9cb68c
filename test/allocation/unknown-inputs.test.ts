import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import { readReceipt } from '../../src/allocation/receipt/stored-receipt.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { EPOCH } from '../../src/time/epoch-ms.ts';
import { fc } from '../support/properties.ts';
import { fleetOf, requestOf } from './requests.ts';

const rulesOf = (conditions: readonly string[]) =>
  conditions.map((when, index) => ({ name: `r${index}`, when, prefer: { 'weu.azure-devices.net': 2 } }));
const oldFile = (conditions: readonly string[]) => fleetOf({ allocation: { rules: rulesOf(conditions) } });
/** Another revision, also with the same rules. */
const newFile = (conditions: readonly string[], allocation: object = {}) =>
  fleetOf({ allocation: { salt: 'new', rules: rulesOf(conditions), ...allocation } });

/** The decision of the new file about the request, and about the receipt that the old file left. */
function compare(
  before: ReturnType<typeof fleetOf>,
  after: ReturnType<typeof fleetOf>,
  payload: JsonValue,
  twin: object | undefined = undefined,
) {
  const request = requestOf({
    context: { payload },
    ...(twin !== undefined && { group: { initialTwin: { tags: twin, properties: { desired: {} } } } }),
  });
  const input = { request, fleet: before, conditions: NO_CONDITIONS, now: EPOCH };
  const receipt = readReceipt(JSON.parse(JSON.stringify(receiptOf(input, decide(input)))));
  if (receipt === undefined) throw new Error('no receipt');
  return {
    real: decide({ ...input, fleet: after }),
    again: recompute(receipt, after),
    same: recompute(receipt, before),
  };
}

describe('a value that the fleet file of a receipt did not read', () => {
  test.each([
    ['has()', 'has(payload.batch)'],
    ['the absence of has()', '!has(payload.batch)'],
    ['"in"', "'batch' in payload"],
    ['has() of a member', 'has(payload.site.floor)'],
    ['a comparison', "payload.batch == 'X7'"],
    ['a comparison with null', 'payload.batch != null'],
    ['the size of the whole payload', 'size(payload) > 1'],
    ['a comparison of the whole payload', "payload == {'country': 'SG'}"],
    ['the initial twin of the enrollment', 'has(enrollment.initialTwin.tags.batch)'],
  ])('makes a rule of another file unknown that reads it by %s, and is named', (_, when) => {
    const payload = { country: 'SG', batch: 'X7', site: { name: 'a', floor: 1 } };
    const { again } = compare(
      oldFile(["payload.country == 'DE'", "payload.site.name == 'b'"]),
      newFile([when]),
      payload,
      { batch: 'X7' },
    );

    expect(again.receipt.rules).toMatchObject([{ name: 'r0', result: 'unknown' }]);
    expect(again.notKept).toHaveLength(1);
  });

  test('does not make a rule unknown that another part decides', () => {
    const { again } = compare(
      oldFile(["payload.country == 'DE'"]),
      newFile(["payload.country == 'SG' || has(payload.batch)"]),
      { country: 'SG', batch: 'X7' },
    );

    expect(again.receipt.rules).toMatchObject([{ name: 'r0', result: 'matched' }]);
  });

  test.each([
    ['has()', 'has(payload.batch)'],
    ['"in"', "'batch' in payload"],
    ['has() of a member', 'has(payload.site.floor)'],
  ])('is known to be missing if that file looked for it by %s', (_, when) => {
    const { again } = compare(oldFile([when]), newFile([when, "payload.country == 'DE'"]), { site: {} });

    expect(again.receipt.rules).toMatchObject([{ name: 'r1', result: 'unknown' }]);
    expect(again.notKept).toEqual(['payload.country']);
  });

  test('gives the real result of each rule or says that it is unknown, whatever both files read', () => {
    const conditions = fc.subarray(
      [
        'has(payload.a)',
        "payload.a == 'x'",
        "'a' in payload",
        'has(payload.o.k)',
        'payload.o.k == 1',
        "'k' in payload.o",
        'has(payload.o)',
        "payload.o == {'k': 1}",
        'size(payload.o) == 1',
        'size(payload) == 2',
        'payload == {}',
        'has(payload.o.deep.k)',
        "payload.l[0] == 'x'",
        "payload.l.exists(x, x == 'x')",
        "has(payload.a) || payload.a == 'x'",
        "!has(payload.b) && payload.a != 'y'",
        "has(enrollment.initialTwin.tags.t) && enrollment.initialTwin.tags.t == 'x'",
        'has(enrollment.initialTwin)',
        "attestation.kind == 'symmetricKey'",
        'has(attestation.subject)',
      ],
      { minLength: 1, maxLength: 5 },
    );
    const long = 'x'.repeat(600);
    const payloads = fc.oneof(
      fc.constantFrom<JsonValue>('x', null, [], {}),
      fc.record(
        {
          a: fc.constantFrom<JsonValue>('x', 'y', 1, null, {}),
          b: fc.constantFrom<JsonValue>('x', null),
          o: fc.constantFrom<JsonValue>(
            {},
            { k: 1 },
            { k: 2, deep: {} },
            { deep: { k: 1 } },
            { k: long },
            'x',
          ),
          l: fc.constantFrom<JsonValue>([], ['x'], [1]),
        },
        { requiredKeys: [] },
      ),
    );
    let known = 0;
    fc.assert(
      fc.property(
        conditions,
        conditions,
        payloads,
        fc.constantFrom(undefined, {}, { t: 'x' }),
        (first, second, payload, twin) => {
          const { real, again, same } = compare(oldFile(first), newFile(second), payload, twin);
          const found = new Map(again.receipt.rules.map(({ name, result }) => [name, result]));
          for (const { name, result } of real.rules) {
            const other = found.get(name) ?? 'unmatched';
            if (other !== 'unknown') {
              known += 1;
              expect({ name, result: other }).toEqual({ name, result });
            }
          }
          expect(same.notKept.length > 0 ? [] : same.differences).toEqual([]);
        },
      ),
      { numRuns: 1_500 },
    );
    expect(known).toBeGreaterThan(500);
  });
});

describe('latency inputs that the fleet file of a receipt did not use', () => {
  const plain = oldFile(["payload.country == 'DE'"]);
  const rules = ["payload.country == 'DE'"];
  const latency = { latency: { halfLifeMs: 25 } };

  test('are named if another file uses them', () => {
    const { again } = compare(plain, newFile(rules, latency), { country: 'SG', region: 'southeastasia' });

    expect(again.notKept).toEqual(['payload.latency', 'payload.region', 'payload.location']);
  });

  test('are not named if that file used them and the device sent none', () => {
    const before = fleetOf({ allocation: { rules: rulesOf(rules), ...latency } });
    const { again } = compare(before, newFile(rules, latency), { country: 'SG' });

    expect(again.notKept).toEqual([]);
  });

  test('are named for a region that no linked hub had', () => {
    const before = fleetOf({ allocation: { rules: rulesOf(rules), ...latency } });
    const after = fleetOf({
      hubs: { sea: { host: 'new.azure-devices.net', region: 'uksouth' } },
      allocation: { rules: rulesOf(rules), ...latency },
    });
    const { again } = compare(before, after, { country: 'SG', latency: { westeurope: 5, uksouth: 1 } });

    expect(again.notKept).toEqual(['payload.latency.uksouth']);
  });
});
