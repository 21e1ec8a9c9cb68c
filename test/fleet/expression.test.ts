import { describe, expect, test } from '@jest/globals';
import {
  compileExpression,
  type Evaluation,
  type Expression,
  evaluateCondition,
  variablesOf,
} from '../../src/fleet/expressions/expression.ts';
import type { JsonValue } from '../../src/json/json.ts';

function compiled(source: string): Expression {
  const result = compileExpression(source, 'twin');
  if (!result.ok) throw new Error(result.problem);
  return result.expression;
}

const REPORTED: JsonValue = {
  battery: 12,
  charge: 0.5,
  name: 'pump',
  nothing: null,
  list: [1, 2, 3],
  place: { country: 276 },
  long: Array.from({ length: 1_001 }, (_, index) => index),
};
const evaluate = (source: string): Evaluation =>
  compiled(source).evaluate({ deviceId: 'd1', hub: {}, tags: {}, desired: {}, reported: REPORTED });

describe('a value of an expression', () => {
  test.each<[string, JsonValue]>([
    ['1 + 1.5', 2.5],
    ['(1 + 1.5) * 2', 5],
    ['reported.battery + 1', 13],
    ['reported.charge * 2', 1],
    ['reported.battery % 5', 2],
    ['size(reported.list) * 1.5', 4.5],
    ['reported.battery < 20 ? 60000 : 5000', 60_000],
    ['{"a": [1, 2.5], "b": {"c": 3}}', { a: [1, 2.5], b: { c: 3 } }],
    ['reported.list.map(x, x * 2)', [2, 4, 6]],
    ['1 == 1.0', true],
    ['reported.battery == 12u', true],
    ['reported.battery in [11u, 12u]', true],
    ['0.1 + 0.2 == 0.30000000000000004', true],
    ['1e-12 * 1e12', 1],
    ["'a\\'b' + \"c\"", "a'bc"],
    ['-reported.battery', -12],
    ['-(1 + 1.5)', -2.5],
    ['[1, 2][1]', 2],
    ['{"a": {"b": 5}}.a["b"]', 5],
    ['reported.nothing == null', true],
    ['reported.charge % 0.2 < 0.2', true],
    ['7.5 % 2.0', 1.5],
    ['9007199254740993 == 9007199254740993', true],
  ])('is plain JSON, with integers and doubles mixed: %s', (source, value) => {
    expect(evaluate(source)).toEqual({ known: true, value });
  });
});

describe('a path', () => {
  const tooLong = 'x'.repeat(32 * 1024 + 1);
  const values: Readonly<Record<string, JsonValue>> = {
    text: 'pump',
    empty: '',
    longText: 'y'.repeat(2_000),
    tooLong,
    number: -0.5,
    large: 1e20,
    yes: true,
    no: false,
    nothing: null,
    list: [1, 'two'],
    place: { country: 276, '49': 'DE', constructor: 'x' },
  };
  test.each([
    ...Object.keys(values),
    ...[
      'missing',
      'toString',
      'constructor',
      'text.length',
      'tooLong.kind',
      'list.length',
      'nothing.country',
    ],
    ...['place.country', 'place.constructor', 'place.toString', 'place.country.code'],
  ])('has the value that a program computes for it: reported.%s', (path) => {
    const variables = variablesOf({ deviceId: 'd1', hub: {}, tags: {}, desired: {}, reported: values });

    const direct = compiled(`reported.${path}`).evaluate(variables);

    expect(direct).toEqual(compiled(`true ? reported.${path} : 0`).evaluate(variables));
  });
});

describe('oneOf with a closed list', () => {
  const inEu = (country: JsonValue | undefined, value = 'reported.country') =>
    evaluateCondition(compiled(`oneOf(${value}, ['DE', 'FR', 1], ['US', true, -2])`), {
      reported: country === undefined ? {} : { country },
    });

  test.each<[JsonValue, boolean]>([
    ['DE', true],
    ['FR', true],
    [1, true],
    ['US', false],
    [true, false],
    [-2, false],
  ])('gives a result for the listed value %j (held: %s)', (country, isHeld) => {
    expect(inEu(country)).toBe(isHeld);
  });

  test.each<[JsonValue]>([
    [''],
    ['de'],
    ['DE '],
    [' US'],
    ['US\u00a0'],
    ['ＤＥ'],
    ['1'],
    ['true'],
    [2],
    [false],
    [null],
    [['DE']],
    [[]],
    [{ DE: 'DE' }],
  ])('is unknown for %j, because no list contains it', (country) => {
    expect(inEu(country)).toEqual({ unknown: 'a value that oneOf does not list' });
  });

  test('is unknown for a missing value, and the reason names the missing key', () => {
    expect(inEu(undefined)).toEqual({ unknown: 'the key country is missing' });
  });

  test('can be used after trimming spaces and changing case', () => {
    expect(inEu(' de ', 'reported.country.trim().upperAscii()')).toBe(true);
    expect(inEu('us', 'reported.country.trim().upperAscii()')).toBe(false);
    expect(inEu('xx', 'reported.country.trim().upperAscii()')).toEqual({ unknown: expect.any(String) });
  });

  test.each([
    ['oneOf(reported.c)', /needs a value, the list of values that match/],
    ["oneOf(reported.c, ['DE'])", /needs a value, the list/],
    ["oneOf(reported.c, ['DE'], reported.others)", /write both lists of `oneOf` as literals/],
    ["oneOf(reported.c, [reported.a], ['US'])", /write both lists/],
    ["oneOf(reported.c, [], ['US'])", /with at least one/],
    ["oneOf(reported.c, ['DE'], [null])", /a text, number|write both lists/],
    ["true || oneOf(reported.c, ['DE', 'US'], ['US'])", /"US" is in both lists/],
    ['oneOf(reported.c, [1], [1.0])', /1 is in both lists/],
    ["reported.c.oneOf(['DE'], ['US'])", /oneOf/],
  ])('is refused at load: %s', (source, problem) => {
    expect(compileExpression(source, 'twin')).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });
});

describe('a condition', () => {
  test.each([
    ['a missing key', 'reported.missing < 2', /the key missing is missing/],
    ['a wrong type', 'reported.name < 2', /no such overload/],
    ['a list over 1,000 items in a loop', 'reported.long.exists(x, x == 5)', /more than 1000 items/],
    ['a list over 1,000 items after `in`', '5 in reported.long', /more than 1000 items/],
    ['a division by zero', '1 / 0 == 1', /division by zero/],
    ['a result that is not a boolean', 'reported.battery', /the result is neither true nor false/],
    ['a result that JSON cannot hold', 'reported.battery / 0', /not a JSON value/],
    ['a number compared with a text', "reported.battery == 'DE'", /number compared with string/],
    ['a text compared with a number', 'reported.name != 5', /string compared with number/],
    ['null compared with a text', "reported.nothing == 'DE'", /null compared with string/],
    ['a list compared with a text', "'DE' == reported.list", /string compared with list/],
    ['two values of other kinds', 'reported.name == reported.battery', /string compared with number/],
    ['lists of other kinds', "reported.list == ['a', 'b', 'c']", /number compared with string/],
    ['objects of other kinds', "reported.place == {'country': 'DE'}", /number compared with string/],
    ['objects with other keys', "reported.place == {'city': 'Ulm'}", /a key is missing/],
    [
      'a number looked for among texts',
      "reported.battery in ['DE']",
      /number looked for in a list of string/,
    ],
    ['a list looked for among texts', "reported.list in ['DE', 'FR']", /list looked for in a list of string/],
    ['null looked for among numbers', 'reported.nothing in [1, 2]', /null looked for in a list of number/],
    ['a text looked for among negative numbers', 'reported.name in [-1, 1]', /string looked for/],
    [
      'a number looked for in a list that is put together',
      "reported.battery in ['DE'] + ['FR']",
      /number compared with string/,
    ],
    [
      'a number looked for in a list by a condition',
      "reported.battery in (true ? ['DE'] : ['FR'])",
      /number compared/,
    ],
    [
      'a number looked for among keys',
      "reported.battery in {'DE': true}",
      /number looked for among the keys/,
    ],
    ['a text looked for among numbers of a device', "'DE' in reported.list", /string compared with number/],
    [
      'a key of a value that is not an object',
      "'x' in reported.name",
      /string instead of a list or an object/,
    ],
    ['a loop over an object', "reported.place.exists(k, k == 'country')", /map instead of a list/],
    [
      'a loop over a list of other kinds',
      "reported.list.exists(x, x == 'DE')",
      /number compared with string/,
    ],
    ['an inherited member', 'reported.constructor == 1', /the key constructor is missing/],
  ])('is unknown, and not false, because of %s', (_, source, why) => {
    const result = evaluateCondition(compiled(source), { reported: REPORTED, tags: {} });

    expect(result).toEqual({ unknown: expect.stringMatching(why) });
  });

  test.each([
    ['has() tests for a key', 'has(reported.missing)', false],
    ['lists of different lengths are not equal', "reported.list == ['a']", false],
    ['a difference in kind next to another difference', "[1, 'a'] == [2, reported.battery]", false],
    ['a loop over the keys of a variable', "reported.exists(k, k == 'battery')", true],
    ['a key that does not exist', "'city' in reported.place", false],
    ['an item of a list from the device', '2 in reported.list', true],
    [
      'parentheses, negation and operator order',
      "!((reported.battery) == (13)) && ('a' in (['a', 'b'])) != false",
      true,
    ],
    ['a conditional inside a comparison', "(reported.battery < 20 ? 'low' : 'high') == 'low'", true],
    ['a comment in the source', "reported.battery == 12 // == 'x'\n && true", true],
    ['a comparison with null tests the kind', 'reported.name == null', false],
    ['a comparison with null on the left side', 'null != reported.name', true],
    ['a list of several kinds accepts any kind', "reported.battery in ['x', 12]", true],
    ['all kinds of numbers count as one kind', 'reported.battery in [12, 0.5]', true],
    ['an operand that decides alone', 'reported.battery < 20 || reported.missing == 1', true],
    ['a key of tags', "!('unmanaged' in tags)", true],
  ])('is decided: %s', (_, source, expected) => {
    expect(evaluateCondition(compiled(source), { reported: REPORTED, tags: {} })).toBe(expected);
  });
});

describe('an expression that could stall the allocator', () => {
  test.each([
    ['matches', "reported.name.matches('(a+)+$')", /`matches` is refused/],
    ['duration', "duration(reported.name) > duration('1h')", /`duration` is refused/],
    ['join', 'size(reported.list.join(reported.name)) > 1', /`join` is refused/],
    ['a name that is reserved for Berth', 'strict_equal(1, 1)', /no matching overload/],
    ['a loop inside a loop', 'reported.list.all(x, reported.list.exists(y, x == y))', /inside another loop/],
    [
      'a loop in a receiver inside a loop',
      'reported.list.all(x, x.filter(y, y > 1).size() > 0)',
      /inside another loop/,
    ],
    ['more than 200 nodes', Array(150).fill('reported.battery').join(' + '), /maxAstNodes/],
    ['a depth of more than 20', `${'('.repeat(25)}true${')'.repeat(25)}`, /maxDepth/],
    ['texts compared with numbers', 'deviceId == 5', /no such overload/],
    ['types that cannot fit', "deviceId + 1 == 'x'", /no such overload/],
    ['an unknown variable', 'payload.a == 1', /Unknown variable: payload/],
  ])('is refused at load: %s', (_, source, problem) => {
    expect(compileExpression(source, 'twin')).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });
});

test('two loops one after the other are accepted', () => {
  expect(evaluate('reported.list.all(x, x > 0) && reported.list.exists(x, x == 3)')).toEqual({
    known: true,
    value: true,
  });
});

test('a member named constructor hides no other member', () => {
  const odd = { constructor: { name: 'x' }, battery: 12 };

  expect(compiled('reported.battery < 20').evaluate(variablesOf({ reported: odd }))).toEqual({
    known: true,
    value: true,
  });
});

test('an expression that needs too much work is unknown', () => {
  const reported = { list: Array(1_000).fill('x'), text: 'x'.repeat(20_000) };

  expect(compiled('reported.list.map(x, reported.text + x)').evaluate(variablesOf({ reported }))).toEqual({
    known: false,
    why: 'too much work',
  });
});

test('an expression lists the paths that it reads', () => {
  const { reads } = compiled(
    "reported.a.b == 1 && tags['site'] == 'x' && 'k' in desired && reported.list.exists(i, i.x == hub.region)",
  );

  expect(reads).toEqual([
    ['reported', 'a', 'b'],
    ['tags', 'site'],
    ['desired', 'k'],
    ['reported', 'list'],
    ['hub', 'region'],
  ]);
});
