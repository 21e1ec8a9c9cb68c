import type { JsonValue } from '../../src/json/json.ts';
import { fc } from '../support/properties.ts';

/** Sources of expressions over `payload`, of every function and operator, and what a device could send against them. */

const KB = 1024;

const texts: readonly string[] = [
  'a'.repeat(90 * KB),
  'a'.repeat(32 * KB),
  'a'.repeat(4 * KB),
  `b${'a'.repeat(2 * KB)}`,
  `${'a'.repeat(2 * KB)}b`,
  'İ'.repeat(16 * KB),
  '['.repeat(16 * KB) + ']'.repeat(16 * KB),
  ','.repeat(32 * KB),
  '1'.repeat(32 * KB),
  '2026-01-01T00:00:00Z',
  'America/New_York',
  'DE',
  '',
];
const numbers = Array.from({ length: 1_000 }, (_, index) => index);
const lists: readonly JsonValue[] = [
  numbers,
  Array.from({ length: 9 * KB }, () => 1),
  numbers.map(() => '2026-01-01T00:00:00Z'),
  numbers.map((index) => ({ a: index, b: { c: index } })),
  numbers.slice(0, 30).map(() => numbers),
  numbers.map(() => null),
  ['DE', 1, null, { a: 1 }],
];
const objects: readonly JsonValue[] = [
  Object.fromEntries(Array.from({ length: 6_000 }, (_, index) => [`k${index}`, 1])),
  Object.fromEntries(numbers.slice(0, 90).map((index) => [`k${index}`, 'a'.repeat(300)])),
  { constructor: 1, a: {} },
  { a: 1 },
];

export const randomPayload: fc.Arbitrary<JsonValue> = fc.record({
  a: fc.constantFrom(...texts),
  b: fc.constantFrom(...texts),
  l: fc.constantFrom(...lists),
  m: fc.constantFrom(...lists),
  o: fc.constantFrom(...objects),
  n: fc.constantFrom<JsonValue>(1, 0, 1e300, -5, true, null),
});

/** With a loop variable `x`, where there is one; loops inside of loops are refused at load. */
function source(isInLoop: boolean): fc.Arbitrary<string> {
  const variables = isInLoop ? ['x', 'x.a', 'x.b.c'] : [];
  const inner = isInLoop ? fc.constant('true') : fc.memo((depth: number) => grammar(true, depth))(2);
  return fc.memo((depth: number) => grammar(isInLoop, depth, variables, inner))(3);
}

function grammar(
  isInLoop: boolean,
  depth: number,
  variables: readonly string[] = isInLoop ? ['x', 'x.a', 'x.b.c'] : [],
  inLoop: fc.Arbitrary<string> = fc.constant('true'),
): fc.Arbitrary<string> {
  const leaf = fc.constantFrom(
    'payload.a',
    'payload.b',
    'payload.l',
    'payload.m',
    'payload.o',
    'payload.n',
    'payload',
    'payload.missing',
    "'DE'",
    "'a'",
    '1',
    '900',
    '2.5',
    'true',
    ...variables,
  );
  if (depth === 0) return leaf;
  const part = grammar(isInLoop, depth - 1, variables, inLoop);
  const two = fc.tuple(part, part);
  const operator = fc.constantFrom('+', '-', '*', '/', '%', '<', '>=', '==', '!=', 'in', '&&', '||');
  const search = fc.constantFrom('contains', 'startsWith', 'endsWith', 'indexOf', 'lastIndexOf', 'split');
  const change = fc.constantFrom('lowerAscii', 'upperAscii', 'trim', 'size');
  const conversion = fc.constantFrom(
    'size',
    'string',
    'int',
    'double',
    'bytes',
    'bool',
    'type',
    'dyn',
    'timestamp',
  );
  const ofBytes = fc.constantFrom('json', 'hex', 'base64', 'string', 'size');
  const loop = fc.constantFrom('all', 'exists', 'exists_one', 'map', 'filter');
  return fc.oneof(
    leaf,
    fc.tuple(two, operator).map(([[one, other], op]) => `(${one} ${op} ${other})`),
    fc
      .tuple(part, fc.integer({ min: 2, max: 12 }))
      .map(([one, times]) => `(${Array(times).fill(one).join(' + ')})`),
    fc.tuple(two, search).map(([[one, other], name]) => `dyn(${one}).${name}(${other})`),
    fc.tuple(part, change).map(([one, name]) => `dyn(${one}).${name}()`),
    fc.tuple(part, conversion).map(([one, name]) => `${name}(dyn(${one}))`),
    fc.tuple(part, ofBytes).map(([one, name]) => `bytes(dyn(${one})).${name}()`),
    two.map(([one, other]) => `timestamp(dyn(${one})).getDayOfYear(dyn(${other}))`),
    two.map(([one, other]) => `dyn(${one}).substring(dyn(${other}))`),
    two.map(([one, other]) => `dyn(${one})[dyn(${other})]`),
    two.map(([one, other]) => `[${one}, ${other}]`),
    two.map(([one, other]) => `{'a': ${one}, 'b': ${other}}`),
    fc.tuple(two, part).map(([[one, other], third]) => `(dyn(${one}) ? dyn(${other}) : dyn(${third}))`),
    ...(isInLoop
      ? []
      : [fc.tuple(part, loop, inLoop).map(([list, name, body]) => `dyn(${list}).${name}(x, dyn(${body}))`)]),
  );
}

export const randomSource: fc.Arbitrary<string> = source(false);

/** Sources without a loop that read an id, the enrollment and short values of a device, and that contain long lists and chains. */
export const randomSourceOfShortInputs: fc.Arbitrary<string> = fc
  .record({
    part: randomSource.filter((text) => !text.includes('(x,')),
    other: randomSource.filter((text) => !text.includes('(x,')),
    id: fc.constantFrom('payload.a', 'payload.b', 'payload.a.trim().upperAscii()', 'payload.a + payload.b'),
    count: fc.integer({ min: 1, max: 85 }),
    length: fc.constantFrom(2, 64, 127, 128),
    shape: fc.constantFrom('part', 'in', 'in mixed', 'oneOf', 'errors', 'choice', 'bind', 'object'),
  })
  .map(({ part, other, id, count, length, shape }) => {
    const texts = (first: number) =>
      Array.from({ length: count }, (_, index) => `'${String(first + index).padStart(length, 'a')}'`).join(
        ', ',
      );
    switch (shape) {
      case 'part':
        return part;
      case 'in':
        return `${id} in [${texts(0)}] || (${part}) == (${other})`;
      case 'in mixed':
        return `(${part}) in [${texts(0)}, 1, ${other}, payload.l, payload.o]`;
      case 'oneOf':
        return `oneOf(${id}, [${texts(0)}], [${texts(100)}])`;
      case 'errors':
        return `${Array(Math.min(count, 30)).fill('payload.a.missing == 1').join(' || ')} || ${id} in [${texts(0)}]`;
      case 'choice':
        return `(dyn(${part}) ? ${id} : (dyn(${other}) ? 'a' : payload.a.missing)) == 'a' || ${id} in [${texts(0)}]`;
      case 'bind':
        return `cel.bind(x, ${id}, x + x + x + x in [${texts(0)}] || (x + x + x + x).contains(x))`;
      default:
        return `{${id}: [${texts(0)}], 'b': ${part}} == {'b': ${other}, ${id}: [${texts(0)}]}`;
    }
  })
  .map((text) =>
    text
      .replaceAll('payload.a', 'registrationId')
      .replaceAll('payload.b', 'enrollment.id')
      .replaceAll('payload.l', 'enrollment.initialTwin.tags.l')
      .replaceAll('payload.o', 'enrollment.initialTwin.desired.o')
      .replaceAll('payload.m', 'payload.text'),
  );

const shortTexts = [
  '',
  'a',
  'a'.repeat(128),
  '1'.repeat(128),
  '['.repeat(128),
  'ä'.repeat(128),
  '2026-01-01T00:00:00Z',
];

/** Values of the variables that `randomSourceOfShortInputs` reads. */
export const shortInputs: fc.Arbitrary<Readonly<Record<string, JsonValue>>> = fc
  .record({
    registrationId: fc.constantFrom(...shortTexts),
    id: fc.constantFrom(...shortTexts),
    text: fc.constantFrom<JsonValue>(...shortTexts, 1, true, null),
    l: fc.constantFrom<JsonValue>(
      numbers.slice(0, 44),
      [numbers.slice(0, 30)],
      Array(25).fill('ab'),
      Array(42).fill({}),
      [],
    ),
    o: fc.constantFrom<JsonValue>(
      { a: 1 },
      Object.fromEntries(numbers.slice(0, 18).map((index) => [`${index}`, 1])),
    ),
  })
  .map(({ registrationId, id, text, l, o }) => ({
    registrationId,
    enrollment: { kind: 'group', id, iotEdge: false, initialTwin: { tags: { l }, desired: { o } } },
    attestation: { kind: 'x509' },
    current: {},
    payload: { text, n: 1 },
  }));
