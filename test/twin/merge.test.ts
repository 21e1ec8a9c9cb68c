import { describe, expect, test } from '@jest/globals';
import { isObject, type JsonObject, type JsonValue } from '../../src/json/json.ts';
import { mergePatch } from '../../src/twin/snapshot/merge.ts';
import { fc } from '../support/properties.ts';

const json = (text: string) => JSON.parse(text) as JsonObject;

/** The rule as RFC 7396 words it, on lists of members. */
function merged(base: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch;
  const members = new Map(isObject(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) members.delete(key);
    else members.set(key, merged(members.get(key), value));
  }
  return Object.fromEntries(members);
}

/** Few names, so that patches meet what is there, and the names that objects have of their own. */
const object = fc.object({
  key: fc.constantFrom('a', 'b', '1', '__proto__', 'constructor', 'toString'),
  values: [fc.integer({ max: 3 }), fc.constant(null), fc.constant([1, null])],
  maxDepth: 3,
}) as fc.Arbitrary<JsonObject>;

describe('mergePatch', () => {
  test.each([
    [
      'an object is merged and an array replaces',
      '{"a":{"b":1},"c":[1]}',
      '{"a":{"d":2},"c":[2]}',
      '{"a":{"b":1,"d":2},"c":[2]}',
    ],
    ['null deletes a member, even if it does not exist', '{"a":1,"b":2}', '{"a":null,"z":null}', '{"b":2}'],
    ['an object replaces a scalar, without its nulls', '{"a":1}', '{"a":{"b":null,"c":2}}', '{"a":{"c":2}}'],
    [
      'keys named __proto__ and constructor are plain keys',
      '{"__proto__":{"a":1}}',
      '{"__proto__":{"b":2},"constructor":{"c":3}}',
      '{"__proto__":{"a":1,"b":2},"constructor":{"c":3}}',
    ],
  ])('follows this rule: %s', (_, base, patch, expected) => {
    expect(JSON.stringify(mergePatch(json(base), json(patch)))).toBe(expected);
  });

  test('follows RFC 7396 and changes no argument', () => {
    fc.assert(
      fc.property(object, object, (base, patch) => {
        const before = JSON.stringify([base, patch]);
        expect(JSON.stringify(mergePatch(base, patch))).toBe(JSON.stringify(merged(base, patch)));
        expect(JSON.stringify([base, patch])).toBe(before);
      }),
    );
  });

  test('keeps unchanged parts as the same objects', () => {
    const base = json('{"pump":{"speed":1},"power":{"battery":80,"source":{"kind":"mains"}}}');
    const after = mergePatch(base, { power: { battery: 79 } });
    expect(after.pump).toBe(base.pump);
    expect((after.power as JsonObject).source).toBe((base.power as JsonObject).source);
  });
});
