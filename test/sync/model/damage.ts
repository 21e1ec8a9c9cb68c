import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';
import type { Random } from './random.ts';

/** What a field may hold by mistake: other kinds, and values of the right kind that are wrong. */
const WRONG: readonly JsonValue[] = [
  null,
  0,
  -1,
  7,
  1e12,
  9e15,
  1e300,
  true,
  false,
  '',
  'x',
  'inSync',
  'rejected',
  '9999-12-31T23:59:59.0000000Z',
  '0001-01-01T00:00:00.0000000Z',
  '2026-11-23T08:00:00.0000000Z',
  [],
  {},
  ['x'],
  { x: 1 },
];

/** The same document with one field, anywhere in it, that is gone or holds something else. */
export function damaged(document: JsonValue, random: Random): JsonValue {
  if (Array.isArray(document) && document.length > 0 && random.chance(0.8)) {
    const index = random.between(0, document.length - 1);
    return document.map((item: JsonValue, at) => (at === index ? damaged(item, random) : item));
  }
  if (isObject(document) && Object.keys(document).length > 0 && random.chance(0.9)) {
    const key = random.pick(Object.keys(document));
    const { [key]: value = null, ...rest } = document;
    return random.chance(0.1) ? rest : { ...rest, [key]: damaged(value, random) };
  }
  return random.pick(WRONG);
}

/** What would make one property wrong for good, in the right form: each of it for some of the properties of a twin. */
export function planted(
  paths: JsonObject,
  policies: readonly string[],
  values: readonly JsonValue[],
  random: Random,
): JsonObject {
  return Object.fromEntries(
    Object.entries(paths).map(([path, history]) => {
      if (!isObject(history) || random.chance(0.4)) return [path, history];
      const policy = random.pick(policies);
      const value = random.pick(values);
      const wrong = random.pick<JsonObject>([
        {
          rejected: policies.flatMap((each) =>
            values.map((refused) => ({ policy: each, value: refused, why: 'planted' })),
          ),
        },
        { contestedUntil: Date.UTC(2200, 0, 1) },
        { foreign: Array.from({ length: 50 }, () => '9999-12-31T23:59:59.0000000Z') },
        { ours: 1_000_000 },
        { oursAt: '9999-12-31T23:59:59.0000000Z' },
        { reportedAt: '9999-12-31T23:59:59.0000000Z' },
        { writes: [{ policy, by: 'policy-0', value, at: '9999-12-31T23:59:59.0000000Z', count: 1_000 }] },
      ]);
      return [path, { ...history, ...wrong }];
    }),
  );
}
