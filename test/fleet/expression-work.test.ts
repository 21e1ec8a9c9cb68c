import { describe, expect, test } from '@jest/globals';
import { compileExpression, evaluateCondition, variablesOf } from '../../src/fleet/expressions/expression.ts';
import { createEnvironments } from '../../src/fleet/expressions/expression-environment.ts';
import { pricedFunctions } from '../../src/fleet/expressions/expression-prices.ts';
import { ExpressionWork, WORK_LIMITS } from '../../src/fleet/expressions/expression-work.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { fc } from '../support/properties.ts';
import { randomPayload, randomSource, randomSourceOfShortInputs, shortInputs } from './random-expressions.ts';

const KB = 1024;
const text = (length: number) => 'a'.repeat(length);
const numbers = (length: number) => Array.from({ length }, (_, index) => index);

function compiled(source: string) {
  const result = compileExpression(source, 'rule');
  if (!result.ok) throw new Error(`${source}: ${result.problem}`);
  return result.expression;
}
const variables = (payload: JsonValue) =>
  variablesOf({ registrationId: 'd', enrollment: {}, attestation: {}, current: {}, payload });

function evaluate(source: string, payload: JsonValue, work = new ExpressionWork()) {
  const result = compiled(source).evaluate(variables(payload), work);
  return { result, steps: work.steps };
}

describe('a value that is too long to read', () => {
  const payload = {
    a: text(90 * KB),
    b: text(90 * KB),
    list: numbers(1_001),
    ok: 'x',
    deep: [{ a: text(33 * KB) }],
  };

  test.each([
    'payload.a.lastIndexOf(payload.b) == 0',
    "payload.a == 'x'",
    "payload.a in ['x']",
    "payload.a != null && payload.ok == 'x'",
    'type(payload.a) == string',
    'size(payload.a) > 1',
    'payload.a == payload.b',
    "'x' in payload.list",
    'size(payload.list) > 1',
    'payload.list.exists(x, x == 5)',
    'payload.list == payload.list',
    'payload.deep[0].a == null',
    'payload.deep.exists(x, x.a == null)',
    'payload.deep == payload.deep',
    'payload == payload',
  ])('makes an expression unknown: %s', (source) => {
    expect(evaluateCondition(compiled(source), variables(payload))).toEqual({ unknown: expect.any(String) });
  });

  test.each([
    ['a part that does not read it', "payload.ok == 'x'", true],
    ['a test whether its key exists', 'has(payload.a) && has(payload.list)', true],
    ['a test whether its key exists, with "in"', "'a' in payload", true],
    ['an expression that another part already decides', "payload.ok == 'x' || payload.a == 'x'", true],
  ])('does not make unknown %s', (_, source, expected) => {
    expect(evaluateCondition(compiled(source), variables(payload))).toBe(expected);
  });

  test.each<[string, boolean, JsonValue]>([
    ['a text of 32 KB', true, { a: text(32 * KB) }],
    ['a text with one byte more', false, { a: text(32 * KB + 1) }],
    ['a text of 32 KB in characters of several bytes', true, { a: 'ä'.repeat(16 * KB) }],
    ['a text of such characters with one byte more', false, { a: 'ä'.repeat(16 * KB + 1) }],
    ['a list of 1,000 items', true, { a: numbers(1_000) }],
    ['a list of 1,001 items', false, { a: numbers(1_001) }],
  ])('has this limit: %s (read: %p)', (_, isRead, given) => {
    expect(evaluate('size(payload.a) > 0', given).result.known).toBe(isRead);
  });

  test('includes a concatenation, which is checked before it is made', () => {
    const sum = Array(30).fill('payload.a').join(' + ');

    expect(evaluate(`size(${sum})`, { a: text(KB) }).result).toEqual({ known: true, value: 30 * KB });
    expect(evaluate(`size(${sum})`, { a: text(2 * KB) }).result.known).toBe(false);
    expect(evaluate('size(payload.a + payload.a)', { a: numbers(600) }).result.known).toBe(false);
    expect(evaluate("size(payload.a.split(''))", { a: text(2_000) }).result.known).toBe(false);
  });

  test('is left out of a copy of its object, and a list that holds it is left out as a whole', () => {
    const { result } = evaluate('payload', {
      a: text(33 * KB),
      ok: 1,
      list: [1, text(33 * KB)],
      many: numbers(1_001),
      deep: { a: text(33 * KB), ok: 2 },
      none: { a: text(33 * KB) },
    });

    expect(result).toEqual({
      known: true,
      value: { ok: 1, deep: { ok: 2 } },
      omitted: [['a'], ['list'], ['many'], ['deep', 'a'], ['none', 'a']].map((path) => ({
        path,
        why: 'a text of more than 32 KB, or a list of more than 1000 items',
      })),
    });
  });
});

describe('the number of steps of an expression', () => {
  test.each<[string, string, JsonValue, number]>([
    ['one step for each operator', 'payload.a == 1 && payload.b == 2', { a: 1, b: 2 }, 5],
    [
      'one step for each item of a loop and for each operator in it',
      'payload.l.map(x, x + 1)',
      numbers(1_000),
      2_000,
    ],
    ['one step for each item that is inspected', 'payload.l.exists(x, x == 500)', numbers(1_000), 2_000],
    ['one step for each item that is compared', '5000 in payload.l', numbers(1_000), 1_000],
    [
      'one step for each item of two lists that are compared',
      'payload.l == payload.l',
      numbers(1_000),
      1_000,
    ],
    ['one step for each part of a result', 'payload.l', numbers(1_000), 3_000],
    ['several steps for an error', 'payload.l.exists(x, x.a == 1)', numbers(100), 2_500],
  ])('includes %s', (_, source, given, atLeast) => {
    const { steps } = evaluate(source, Array.isArray(given) ? { l: given } : given);

    expect(steps).toBeGreaterThanOrEqual(atLeast);
    expect(steps).toBeLessThan(Math.max(atLeast * 4, 20));
  });

  test.each([
    'payload.a.lastIndexOf(payload.b)',
    'payload.a.indexOf(payload.b)',
    'payload.a.contains(payload.b)',
    'payload.a.split(payload.b)',
  ])('includes one step for each 128 pairs of characters: %s', (source) => {
    const { steps } = evaluate(source, { a: text(4_000), b: `b${text(400)}` });

    expect(steps).toBeGreaterThan((4_000 * 400) / 128);
  });

  test.each([
    'size(payload.a)',
    'payload.a.lowerAscii()',
    'payload.a.upperAscii()',
    'payload.a.trim()',
    'payload.a + payload.a',
    'payload.a < payload.a',
    'payload.a == payload.b',
    'payload.a.startsWith(payload.b)',
    'payload.a.endsWith(payload.b)',
    'payload.a.substring(1)',
    'string(payload.a)',
    'double(payload.a)',
    'int(payload.a)',
    'uint(payload.a)',
    'bytes(payload.a)',
    'bytes(payload.a).hex()',
    "payload.a.split('b')",
  ])('includes one step for at most 64 characters that are read: %s', (source) => {
    expect(evaluate(source, { a: text(12_800), b: text(12_800) }).steps).toBeGreaterThanOrEqual(200);
  });

  test('has a known price for every function of cel-js', () => {
    const { functions } = createEnvironments({}).written.getDefinitions();
    const macros = ['all', 'exists', 'exists_one', 'map', 'filter', 'has', 'bind', 'or', 'orValue'];
    const refused = ['matches', 'duration', 'join'];
    const known = new Set([...pricedFunctions(), ...macros, ...refused]);

    expect(functions.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('an expression that runs out of steps', () => {
  test.each([
    ['a search', 'payload.a.lastIndexOf(payload.b) == 0', { a: text(30 * KB), b: text(15 * KB) }],
    [
      'a loop over long texts',
      'payload.l.all(x, (x + x + x).size() > 0)',
      { l: Array(1_000).fill(text(90)) },
    ],
    [
      'a sum of thirty terms in a loop',
      `payload.l.all(x, (${Array(30).fill('x').join(' + ')}).size() > 0)`,
      { l: Array(1_000).fill(text(18)) },
    ],
    [
      'a loop of errors that exists() goes over',
      'payload.l.exists(x, x.a.b == 1)',
      { l: Array(1_000).fill('x') },
    ],
    [
      'lists of the same lists',
      'payload.l.map(x, payload.l) == payload.l.map(x, payload.l)',
      { l: numbers(1_000) },
    ],
    ['a copy', 'payload.l.map(x, payload.l)', { l: numbers(1_000) }],
    ['time zones', "payload.l.exists(x, timestamp(x).getHours('Asia/Tokyo') == 99)", { l: numbers(1_000) }],
  ])('is unknown: %s', (_, source, payload) => {
    const { result, steps } = evaluate(source, payload);

    expect(result).toEqual({ known: false, why: 'too much work' });
    expect(steps).toBeLessThanOrEqual(WORK_LIMITS.expression);
  });

  test.each([
    ['a list as the key of an object', 'payload.o[payload.l] == 1'],
    ['a list as the key of a literal', '{payload.l: 1} == {}'],
  ])('does not convert %s to a text', (_, source) => {
    const l = Array(1_000).fill(numbers(1_000));
    const { result, steps } = evaluate(source, { o: { a: 1 }, l });

    expect(result).toEqual({ known: false, why: 'a list, an object or null as a key' });
    expect(steps).toBeLessThan(100);
  });

  test('is unknown when the part that takes too many steps comes before a part that would decide it', () => {
    const loop = 'payload.l.exists(x, x.a.b == 1)';
    const payload = { l: Array(1_000).fill('x'), ok: true };

    expect(evaluate(`${loop} || payload.ok`, payload).result.known).toBe(false);
    expect(evaluate(`payload.ok || ${loop}`, payload).result).toEqual({ known: true, value: true });
  });

  test('leaves later expressions their own steps', () => {
    const work = new ExpressionWork();
    const greedy = compiled('payload.l.all(x, x.size() + x.size() > 0)');
    const payload = variables({ l: Array(1_000).fill(text(60)), c: 'DE' });
    for (let times = 0; times < 20; times += 1) greedy.evaluate(payload, work);
    const before = work.steps;

    const modest = compiled("payload.c.lowerAscii() in ['de', 'fr'] && !(registrationId == 'x')");
    const asBefore = Array.from({ length: 1_000 }, () => evaluateCondition(modest, payload, work));

    expect(before).toBeLessThanOrEqual(WORK_LIMITS.request + 20 * WORK_LIMITS.own);
    expect(greedy.evaluate(payload, work)).toEqual({ known: false, why: 'too much work' });
    expect(new Set(asBefore)).toEqual(new Set([true]));
  });
});

test('no expression takes more than its maximum number of steps, whatever it contains and the device sends', () => {
  let taken = 0;
  fc.assert(
    fc.property(randomSource, randomPayload, (source, payload) => {
      const result = compileExpression(source, 'rule');
      if (!result.ok) return;
      const work = new ExpressionWork();
      result.expression.evaluate(variables(payload), work);
      taken = Math.max(taken, work.steps);
      expect(work.steps).toBeLessThanOrEqual(WORK_LIMITS.expression);
    }),
    { numRuns: 1_500 },
  );
  expect(taken).toBeGreaterThan(WORK_LIMITS.expression / 2);
});

describe('an expression about the enrollment', () => {
  const spent = () => {
    const work = new ExpressionWork();
    const greedy = compiled('payload.l.all(x, x.size() + x.size() > 0)');
    const payload = variables({ l: Array(1_000).fill('a'.repeat(60)) });
    for (let times = 0; times < 20; times += 1) greedy.evaluate(payload, work);
    expect(greedy.evaluate(payload, work)).toEqual({ known: false, why: 'too much work' });
    return work;
  };
  const ids = (count: number, length = 8) =>
    Array.from({ length: count }, (_, index) => `'${String(index).padStart(length, 's')}'`).join(', ');

  test.each([
    ['a list of 190 ids', `registrationId in [${ids(190)}]`],
    ['a list of 190 ids as long as the registration id', `registrationId in [${ids(190, 128)}]`],
    ['a closed list of 190 ids', `oneOf(registrationId, [${ids(190)}], ['${'d'.repeat(128)}'])`],
    ['30 comparisons', Array(30).fill("registrationId == 'x'").join(' || ')],
    [
      '18 comparisons that fail',
      Array(18).fill("enrollment.none == 'x' || registrationId.startsWith('d')").join(' && '),
    ],
  ])('is known after other expressions used up the steps that all share: %s', (_, source) => {
    const given = variablesOf({ registrationId: 'd'.repeat(128), enrollment: {}, payload: {} });

    expect(compiled(source).evaluate(given, spent()).known).toBe(true);
  });

  test('has the same result after other expressions used up the steps that all share, whatever it contains', () => {
    let [compared, most] = [0, 0];
    fc.assert(
      fc.property(randomSourceOfShortInputs, shortInputs, (source, given) => {
        const result = compileExpression(source, 'rule');
        if (!result.ok || !result.expression.reads.some(([variable]) => variable !== 'payload')) return;
        const work = new ExpressionWork();
        const alone = result.expression.evaluate(variablesOf(given), work);
        compared += 1;
        most = Math.max(most, work.steps);
        expect(result.expression.evaluate(variablesOf(given), spent())).toEqual(alone);
      }),
      { numRuns: 1_500 },
    );
    expect(compared).toBeGreaterThan(500);
    expect(most).toBeGreaterThan(WORK_LIMITS.own);
  });
});

test('each item of a list that is read takes at least one step', () => {
  fc.assert(
    fc.property(randomSource, (source) => {
      const result = compileExpression(source, 'rule');
      if (!result.ok) return;
      let reads = 0;
      const counted = (list: readonly JsonValue[]) =>
        new Proxy(list, {
          get: (target, key, receiver) => {
            if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1;
            return Reflect.get(target, key, receiver);
          },
        });
      const [l, m] = [counted(numbers(200)), counted(Array(200).fill('a'))];
      const given = { payload: { a: 'a', b: 'b', l, m, o: { a: 1 }, n: 1 } };
      const work = new ExpressionWork();
      result.expression.evaluate(given, work);
      // The first items decide the type.
      expect(reads).toBeLessThanOrEqual(8 * work.steps + 100);
    }),
    { numRuns: 1_500 },
  );
});

test('value types are described to two levels only, because cel-js stores every type that it has seen', () => {
  let reads = 0;
  const third = {
    get k() {
      reads += 1;
      return 1;
    },
  };
  const payload = { a: [[third]], b: { c: { d: third } } };

  compiled('payload.a == null || payload.b == null || size(payload.a) > 5').evaluate({ payload });

  expect(reads).toBe(0);
});
