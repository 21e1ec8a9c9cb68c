import { describe, expect, test } from '@jest/globals';
import { worstRequests } from '../../bench/worst-request.ts';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import { compileExpression } from '../../src/fleet/expressions/expression.ts';
import { ExpressionWork, WORK_LIMITS } from '../../src/fleet/expressions/expression-work.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { EPOCH } from '../../src/time/epoch-ms.ts';
import { randomPayload, randomSource } from '../fleet/random-expressions.ts';
import { fc } from '../support/properties.ts';
import { fleetOf, requestOf } from './requests.ts';

const KB = 1024;
const WEU = 'weu.azure-devices.net';

function decideOn(fleet: Fleet, payload: JsonValue) {
  const work = new ExpressionWork();
  const input = {
    request: requestOf({ context: { payload } }),
    fleet,
    conditions: NO_CONDITIONS,
    now: EPOCH,
  };
  return { decision: decide(input, work), steps: work.steps, input };
}

/** Every source as a rule, as the condition of a layer, as a value of it, and as a value of the answer. */
function fleetWith(sources: readonly string[]): Fleet {
  return fleetOf({
    allocation: {
      rules: sources.map((when, index) => ({ name: `r${index}`, when, prefer: { [WEU]: 2 } })),
      payload: Object.fromEntries(sources.map((source, index) => [`p${index}`, `=${source}`])),
    },
    twins: {
      initial: sources.flatMap((source, index) => [
        { name: `when${index}`, when: source, tags: { [`t${index}`]: 1 } },
        {
          name: `value${index}`,
          tags: { [`v${index}`]: `=${source}` },
          desired: { [`v${index}`]: `=${source}` },
        },
      ]),
    },
  });
}

const accepted = randomSource.filter(
  (source) => compileExpression(source, 'rule').ok && compileExpression(source, 'layer').ok,
);

describe('the expressions of one request', () => {
  test('take no more steps than a request allows, whatever the rules are and the device sends', () => {
    let most = 0;
    fc.assert(
      fc.property(fc.array(accepted, { minLength: 1, maxLength: 20 }), randomPayload, (sources, payload) => {
        const { steps } = decideOn(fleetWith(sources), payload);
        most = Math.max(most, steps);
        expect(steps).toBeLessThanOrEqual(WORK_LIMITS.request + 5 * sources.length * WORK_LIMITS.own);
      }),
      { numRuns: 150 },
    );
    expect(most).toBeGreaterThan(WORK_LIMITS.request / 2);
  });

  test.each(worstRequests().map((worst) => [worst.name, worst.input] as const))(
    'stay within that limit for 200 rules and 100 layers of %s',
    (_, input) => {
      const work = new ExpressionWork();
      decide(input, work);

      expect(work.steps).toBeGreaterThan(10_000);
      expect(work.steps).toBeLessThanOrEqual(WORK_LIMITS.request + 701 * WORK_LIMITS.own);
    },
  );

  test('take the same steps and give the same decision each time', () => {
    for (const { input } of worstRequests()) {
      const [one, other] = [new ExpressionWork(), new ExpressionWork()];

      expect(decide(input, one)).toEqual(decide(input, other));
      expect(one.steps).toBe(other.steps);
    }
  });
});

test('a device that sends too much data still meets every require rule and every rule about its enrollment', () => {
  const fleet = fleetOf({
    allocation: {
      rules: [
        ...Array.from({ length: 20 }, (_, index) => ({
          name: `greedy${index}`,
          when: 'payload.l.all(x, (x + x + x).size() > 0)',
          prefer: { [WEU]: 2 },
        })),
        { name: 'eu', when: "payload.country in ['DE', 'FR']", require: { residency: 'eu' } },
        { name: 'blocked', when: "enrollment.id.startsWith('contoso-')", deny: 'blocked' },
      ],
    },
  });
  const { decision } = decideOn(fleet, {
    l: Array(1_000).fill('a'.repeat(60)),
    country: 'D'.repeat(40 * KB),
  });

  expect(decision.rules.slice(-3)).toEqual([
    { name: 'greedy19', result: 'unknown', applied: false, why: 'too much work' },
    {
      name: 'eu',
      result: 'unknown',
      applied: true,
      why: expect.stringMatching(/^a text of more than 32 KB/),
    },
    { name: 'blocked', result: 'matched', applied: true },
  ]);
  expect(decision.result).toMatchObject({ kind: 'refused', code: 'BERTH_REGISTRATION_DENIED' });
});

test('a device whose payload uses up the shared steps still meets a deny rule that lists many registration ids', () => {
  const stolen = Array.from({ length: 190 }, (_, index) => `'stolen-${index}'`).join(', ');
  const fleet = fleetOf({
    allocation: {
      rules: [
        ...Array.from({ length: 12 }, (_, index) => ({
          name: `country${index}`,
          when: `oneOf(payload.country.trim().upperAscii(), ['C${index}'], ['ZZ'])`,
          prefer: { [WEU]: 2 },
        })),
        { name: 'loop', when: "payload.l.exists(x, x.startsWith('eu-'))", prefer: { [WEU]: 2 } },
        { name: 'stolen', when: `registrationId in [${stolen}]`, deny: 'reported stolen' },
      ],
    },
  });
  const decisionOn = (payload: JsonValue) =>
    decide({
      request: requestOf({ context: { registrationId: 'stolen-189', payload } }),
      fleet,
      conditions: NO_CONDITIONS,
      now: EPOCH,
    });

  for (let length = 25 * KB; length <= 32 * KB; length += KB / 2) {
    const { result } = decisionOn({ country: 'a'.repeat(length), l: Array(1_000).fill(1) });

    expect(result).toMatchObject({ kind: 'refused', code: 'BERTH_REGISTRATION_DENIED' });
  }
});

describe('a value that is too long to copy', () => {
  const fleet = fleetOf({
    allocation: { payload: { text: '=payload.text', ok: '=payload.ok' } },
    twins: {
      initial: [
        { name: 'a', tags: { text: '=payload.text', ok: '=payload.ok' } },
        { name: 'b', desired: { all: '=payload', list: '=payload.list' } },
      ],
    },
  });
  const why = 'a text of more than 32 KB, or a list of more than 1000 items';
  const payload = { text: 'x'.repeat(40 * KB), list: Array(1_001).fill(1), ok: 1 };

  test('is left out as a whole with a note, and other values are kept', () => {
    const { decision } = decideOn(fleet, payload);

    expect(decision.twin.twin).toEqual({ tags: { ok: 1 }, desired: { all: { ok: 1 } } });
    expect(decision.twin.omitted.map(({ path, why: said }) => `${path.join('.')}: ${said}`)).toEqual([
      `tags.text: a: ${why}`,
      `desired.all.text: b: ${why}`,
      `desired.all.list: b: ${why}`,
      `desired.list: b: ${why}`,
    ]);
    expect(decision.payload).toEqual({ payload: { ok: 1 }, omitted: [{ path: ['text'], why }] });
  });

  test('leaves a receipt that recomputes to the same decision', () => {
    const rule = fleetOf({
      allocation: {
        rules: [{ name: 'eu', when: "payload.text == 'DE'", require: { residency: 'eu' } }],
        payload: { text: '=payload.text', ok: '=payload.ok' },
      },
    });
    const { decision, input } = decideOn(rule, payload);
    const receipt = receiptOf(input, decision);

    expect(decision.rules[0]).toMatchObject({ result: 'unknown', applied: true });
    expect(recompute(receipt, rule)).toMatchObject({ differences: [], notKept: ['payload.text'] });
  });
});

test('non-ASCII texts are found in one pass over an answer of any depth', () => {
  const deep = (levels: number): JsonValue =>
    levels === 0 ? { bad: 'ö', ok: 'o', list: ['ö'] } : { a: deep(levels - 1) };
  const { decision } = decideOn(fleetOf({ allocation: { payload: { all: '=payload' } } }), deep(25));

  expect(JSON.stringify(decision.payload.payload)).toContain('{"ok":"o"}');
  expect(decision.payload.omitted.map(({ path }) => path.at(-1))).toEqual(['bad', 'list']);
});
