import { describe, expect, test } from '@jest/globals';
import { isObject, jsonOrUndefined, ownEntry, ownMember } from '../src/json/json.ts';

describe('a JSON value', () => {
  test.each<[unknown, boolean]>([
    [{}, true],
    [[], false],
    [null, false],
    [undefined, false],
    ['{}', false],
    [1, false],
  ])('%j is an object: %s', (value, is) => {
    expect(isObject(value)).toBe(is);
  });

  test('has only its own members and no inherited ones', () => {
    expect(ownMember({ a: 1 }, 'a')).toBe(1);
    expect(ownMember({ a: 1 }, 'b')).toBeUndefined();
    expect(ownMember({}, 'constructor')).toBeUndefined();
    expect(ownMember({}, '__proto__')).toBeUndefined();
    expect(ownMember(JSON.parse('{"constructor":2,"__proto__":3}'), 'constructor')).toBe(2);
    expect(ownMember(JSON.parse('{"constructor":2,"__proto__":3}'), '__proto__')).toBe(3);
  });

  test('has no members when it is not an object', () => {
    for (const value of [undefined, null, 'text', 5, ['a']]) {
      expect(ownMember(value, 'length')).toBeUndefined();
      expect(ownMember(value, '0')).toBeUndefined();
    }
  });
});

test('a record has only its own entries', () => {
  const rules = { base: { matched: 1 } };

  expect(ownEntry<unknown>(rules, 'base')).toBe(rules.base);
  expect(ownEntry<unknown>(rules, 'toString')).toBeUndefined();
});

test('a text that is not JSON is read as undefined without an exception', () => {
  expect(jsonOrUndefined('{"a":[null]}')).toEqual({ a: [null] });
  expect(jsonOrUndefined('null')).toBeNull();
  for (const text of ['', '<html>', '{"a":', 'undefined']) expect(jsonOrUndefined(text)).toBeUndefined();
});
