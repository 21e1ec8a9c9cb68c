import { describe, expect, test } from '@jest/globals';
import {
  compileTemplate,
  fillTemplate,
  type Omission,
  type TemplateProblem,
} from '../../src/fleet/expressions/template.ts';
import type { JsonValue } from '../../src/json/json.ts';

const PAYLOAD = { site: 'ams', size: 2, parts: ['a'] };

function fill(json: JsonValue): {
  value: JsonValue | undefined;
  omissions: Omission[];
  problems: TemplateProblem[];
} {
  const problems: TemplateProblem[] = [];
  const omissions: Omission[] = [];
  const template = compileTemplate(json, 'layer', problems);
  return { value: fillTemplate(template, { payload: PAYLOAD }, omissions), omissions, problems };
}

describe('a template', () => {
  test.each<[string, JsonValue, JsonValue]>([
    ['keeps literals', { a: 1, b: [true, null, 'x'] }, { a: 1, b: [true, null, 'x'] }],
    ['computes what begins with =', { site: '=payload.site', n: '=payload.size * 2' }, { site: 'ams', n: 4 }],
    ['reads == as an escaped =', { formula: '==a+b' }, { formula: '=a+b' }],
    ['computes inside arrays', ['=payload.site', 'x'], ['ams', 'x']],
    ['may compute an object', { all: '=payload' }, { all: PAYLOAD }],
    [
      'keeps a key named __proto__ as a plain key',
      JSON.parse('{"__proto__":{"a":1}}'),
      JSON.parse('{"__proto__":{"a":1}}'),
    ],
  ])('%s', (_, json, value) => {
    expect(fill(json)).toEqual({ value, omissions: [], problems: [] });
  });

  test('leaves out a path whose expression is unknown and notes it', () => {
    const { value, omissions } = fill({
      a: '=payload.country',
      b: { c: '=payload.site' },
      d: ['=payload.none', 1],
    });

    expect(value).toEqual({ b: { c: 'ams' } });
    expect(omissions).toEqual([
      { path: ['a'], why: 'the key country is missing' },
      { path: ['d', '0'], why: 'the key none is missing' },
    ]);
  });

  test('collects the expressions that are refused', () => {
    expect(fill({ a: '=payload.', b: ['=nobody'] }).problems.map(({ path }) => path)).toEqual([
      ['a'],
      ['b', '0'],
    ]);
  });
});
