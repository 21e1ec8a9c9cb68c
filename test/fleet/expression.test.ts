import { describe, expect, test } from '@jest/globals';
import {
  compileExpression,
  type Evaluation,
  type Expression,
  evaluateCondition,
} from '../../src/fleet/expression.ts';
import type { JsonValue } from '../../src/json.ts';

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
  long: Array.from({ length: 1_001 }, (_, index) => index),
};
const evaluate = (source: string): Evaluation =>
  compiled(source).evaluate({ deviceId: 'd1', hub: {}, tags: {}, desired: {}, reported: REPORTED });

describe('values are plain JSON numbers, ints and doubles mixed', () => {
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
    ['reported.nothing == null', true],
  ])('%s', (source, value) => {
    expect(evaluate(source)).toEqual({ known: true, value });
  });
});

describe('a condition is unknown, never false, where it cannot be decided', () => {
  test.each([
    ['a missing key', 'reported.missing < 2', /No such key: missing/],
    ['a wrong type', 'reported.name < 2', /no such overload/],
    ['a list over 1,000 items in a loop', 'reported.long.exists(x, x == 5)', /over 1000 items/],
    ['a list over 1,000 items after `in`', '5 in reported.long', /over 1000 items/],
    ['a division by zero', '1 / 0 == 1', /division by zero/],
    ['a result that is no boolean', 'reported.battery', /gives 12, not true or false/],
    ['a result that JSON cannot hold', 'reported.battery / 0', /not a JSON value/],
    ['an inherited member', 'reported.constructor == 1', /No such key/],
  ])('%s', (_, source, why) => {
    const result = evaluateCondition(compiled(source), { reported: REPORTED, tags: {} });

    expect(result).toEqual({ unknown: expect.stringMatching(why) });
  });

  test.each([
    ['has() asks for a key', 'has(reported.missing)', false],
    ['what decides alone is enough', 'reported.battery < 20 || reported.missing == 1', true],
    ['a key of tags', "!('unmanaged' in tags)", true],
  ])('%s', (_, source, expected) => {
    expect(evaluateCondition(compiled(source), { reported: REPORTED, tags: {} })).toBe(expected);
  });
});

describe('refused at load, because a device could stall the allocator', () => {
  test.each([
    ['matches', "reported.name.matches('(a+)+$')", /`matches` is refused/],
    ['a loop inside a loop', 'reported.list.all(x, reported.list.exists(y, x == y))', /inside another loop/],
    [
      'a loop in a receiver inside a loop',
      'reported.list.all(x, x.filter(y, y > 1).size() > 0)',
      /inside another loop/,
    ],
    ['more than 200 nodes', Array(150).fill('reported.battery').join(' + '), /maxAstNodes/],
    ['a depth over 20', `${'('.repeat(25)}true${')'.repeat(25)}`, /maxDepth/],
    ['types that cannot fit', "deviceId + 1 == 'x'", /no such overload/],
    ['an unknown variable', 'payload.a == 1', /Unknown variable: payload/],
  ])('%s', (_, source, problem) => {
    expect(compileExpression(source, 'twin')).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });
});

test('two loops side by side are fine', () => {
  expect(evaluate('reported.list.all(x, x > 0) && reported.list.exists(x, x == 3)')).toEqual({
    known: true,
    value: true,
  });
});

test('an expression tells which paths it reads', () => {
  const { reads } = compiled(
    "reported.a.b == 1 && tags['site'] == 'x' && reported.list.exists(i, i.x == hub.region)",
  );

  expect(reads).toEqual([
    ['reported', 'a', 'b'],
    ['tags', 'site'],
    ['reported', 'list'],
    ['hub', 'region'],
  ]);
});
