import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { fieldsAt } from '../../src/fleet/file/known-fields.ts';
import { schemaProblems } from '../../src/fleet/file/problems.ts';

const schema = z.strictObject({
  hubs: z.array(z.strictObject({ host: z.string(), weight: z.number().default(1) })).optional(),
  of: z.record(z.string(), z.strictObject({ over: z.string() })),
  proof: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('key'), primary: z.string() }),
    z.strictObject({ kind: z.literal('certificate'), file: z.string() }),
  ]),
});

describe('the fields that a schema knows', () => {
  test.each<[readonly PropertyKey[], readonly string[]]>([
    [[], ['hubs', 'of', 'proof']],
    [
      ['hubs', 0],
      ['host', 'weight'],
    ],
    [['of', 'any'], ['over']],
    [['proof'], ['kind', 'primary', 'file']],
    [['hubs', 0, 'host'], []],
    [['nothing', 'here'], []],
    [['toString'], []],
  ])('at %j are %j', (path, fields) => {
    expect(fieldsAt(schema, path)).toEqual(fields);
  });

  test.each<[string, object, string]>([
    [
      'one mistyped field',
      { hubs: [{ host: 'a', wieght: 1 }], of: {}, proof: { kind: 'key', primary: '' } },
      'hubs[0] contains the unknown field "wieght": did you mean "weight"? Correct the spelling or remove it',
    ],
    [
      'two mistyped fields',
      { of: { a: { ovre: '1m', over: 'x', overr: 'y' } }, proof: { kind: 'certificate', file: '', fil: '' } },
      'of.a contains the unknown fields "ovre", "overr": correct the spelling or remove it',
    ],
    [
      'a field that is like no other',
      { of: {}, proof: { kind: 'key', primary: '' }, comment: '' },
      ' contains the unknown field "comment": correct the spelling or remove it',
    ],
    [
      'a secret as a field',
      { of: {}, proof: { kind: 'key', primary: '', 'SharedAccessKey=x': 1 } },
      'proof contains the unknown field a secret in the wrong field (not shown here): correct the spelling or remove it',
    ],
  ])('name what is meant by %s', (_, input, expected) => {
    const { error } = schema.safeParse(input);
    const problems = error === undefined ? [] : schemaProblems(error, input, schema);

    expect(problems.map(({ path, message }) => `${path} ${message}`)).toContain(expected);
  });
});
