import { describe, expect, test } from '@jest/globals';
import { parseRouteTemplate } from '../../../local/function-host/http/route-template.ts';

describe('a route template', () => {
  test.each([
    ['api/allocate', '/api/allocate', {}],
    ['api/allocate', '/API/Allocate', {}],
    ['api/allocate', '/api/allocate/', {}],
    ['api/allocate', '/api/allocate/more', undefined],
    ['api/allocate', '/api', undefined],
    ['api/allocate', '/', undefined],
    ['api/{id}', '/api/7', { id: '7' }],
    ['api/{id}', '/api/', undefined],
    ['api/{id}', '/api//', undefined],
    ['api/{id}/x', '/api//x', undefined],
    ['api/{id}', '/api/a%20b%C3%A9', { id: 'a bé' }],
    ['api/{id}', '/api/a%2Fb%2fc', { id: 'a%2Fb%2Fc' }],
    ['api/{id}', '/api/100%', { id: '100%' }],
    ['api/{id?}', '/api', {}],
    ['api/{id?}', '/api/7', { id: '7' }],
    ['api/{id=5}', '/api', { id: '5' }],
    ['api/{id=5}', '/api/7', { id: '7' }],
    ['{*rest}', '/', {}],
    ['{*rest}', '/a/b', { rest: 'a/b' }],
    ['api/{**rest}', '/api/a/b/c', { rest: 'a/b/c' }],
    ['api/{*rest}', '/api', {}],
    ['{file}.{ext}', '/a.b.c', { file: 'a.b', ext: 'c' }],
    ['{file}.{ext}', '/abc', undefined],
    ['v{version:int}/{name}', '/v2/x', { version: '2', name: 'x' }],
    ['v{version:int}/{name}', '/vx/x', undefined],
    ['a+b/(c)', '/a+b/(c)', {}],
    ['{a}/{b:int?}', '/x', { a: 'x' }],
    ['{a}/{b:int?}', '/x/y', undefined],
  ])('the route %s maps the path %s to %j', (template, path, values) => {
    expect(parseRouteTemplate(template).match(path)).toEqual(values);
  });

  test.each([
    ['int', '12', 'x'],
    ['int', '-2147483648', '2147483648'],
    ['long', '9007199254740993', '1.5'],
    ['bool', 'TRUE', '1'],
    ['datetime', '2026-12-31', 'yesterday'],
    ['decimal', '49.99', '1e3'],
    ['double', '1e3', 'x'],
    ['float', '-1.5', '1.5.1'],
    ['guid', 'cd2c1638-1638-72d5-1638-deadbeef1638', 'cd2c1638'],
    ['alpha', 'Rick', 'Rick1'],
    ['minlength(3)', 'abc', 'ab'],
    ['maxlength(3)', 'abc', 'abcd'],
    ['length(3)', 'abc', 'ab'],
    ['length(1,3)', 'ab', 'abcd'],
    ['min(18)', '18', '17'],
    ['max(120)', '120', '121'],
    ['range(18,120)', '91', '121'],
    ['regex(^(a|b)$)', 'b', 'ab'],
    ['int:min(10)', '10', '9'],
    ['required', 'x', ''],
  ])('the route constraint %s accepts %s but not %j', (constraint, good, bad) => {
    const { match } = parseRouteTemplate(`{value:${constraint}}`);

    expect(match(`/${good}`)).toEqual({ value: good });
    expect(match(`/${bad}`)).toBeUndefined();
  });

  test.each([
    ['/api', 'has an invalid segment: ""'],
    ['a//b', 'has an invalid segment: ""'],
    ['{open', 'has an invalid segment: "{open"'],
    ['{}', 'has an invalid segment: "{}"'],
    ['{a:nonsense}', 'has an unknown constraint: "nonsense"'],
    ['{a:toString}', 'has an unknown constraint: "toString"'],
    ['{a:int(}', 'has an invalid parameter: "{a:int(}"'],
    ['{*}', 'has an invalid parameter: "{*}"'],
  ])('the route %s is refused: it %s', (template, message) => {
    expect(() => parseRouteTemplate(template)).toThrow(message);
  });
});
