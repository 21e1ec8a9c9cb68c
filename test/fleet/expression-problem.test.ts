import { describe, expect, test } from '@jest/globals';
import { compileExpression } from '../../src/fleet/expressions/expression.ts';

/** The problem of an expression in the place of a rule, line by line. */
function problemOf(source: string): readonly string[] {
  const compiled = compileExpression(source, 'rule');
  return compiled.ok ? [] : compiled.problem.split('\n');
}

const VARIABLES = 'Known names: registrationId, enrollment, attestation, payload, current';

describe('the problem of an expression', () => {
  test.each<[string, string, string, string, number]>([
    [
      'a mistyped variable',
      "paylod.country == 'DE'",
      `Unknown variable: paylod. Did you mean "payload"? ${VARIABLES}`,
      "paylod.country == 'DE'",
      0,
    ],
    [
      'a variable of another place of the file',
      "payload.a == 1 && tags.site == 'x'",
      `Unknown variable: tags. ${VARIABLES}`,
      "payload.a == 1 && tags.site == 'x'",
      18,
    ],
    [
      'a place in the second line',
      "payload.a == 'x' &&\n  tgs.b == 1",
      `Unknown variable: tgs. ${VARIABLES}`,
      '  tgs.b == 1',
      2,
    ],
    ['one equals sign', 'payload.a = 1', 'Unexpected character: =. Write == to compare', 'payload.a = 1', 10],
    [
      'the word and',
      'payload.a and payload.b',
      'Unexpected character: \'d\'. Write && for "and"',
      'payload.a and payload.b',
      10,
    ],
    ['the word not', 'not payload.a', 'Unexpected character: \'d\'. Write ! for "not"', 'not payload.a', 4],
    [
      'a missing bracket',
      "payload.country in ['DE'",
      'Expected RBRACKET, got EOF. The expression ends too early',
      "payload.country in ['DE'",
      24,
    ],
    [
      'a refused function',
      "payload.x.matches('x')",
      '`matches` is refused: a regular expression can take unlimited time for a text of a device',
      "payload.x.matches('x')",
      10,
    ],
    [
      'an open list',
      "oneOf(payload.a, ['a'], payload.b)",
      'write both lists of `oneOf` as literals, each with at least one text, number, true or false',
      "oneOf(payload.a, ['a'], payload.b)",
      0,
    ],
  ])('shows %s with a caret under its place', (_, source, sentence, line, column) => {
    expect(problemOf(source)).toEqual([sentence, line, `${' '.repeat(column)}^`]);
  });

  test.each([
    ['a mistyped method', "payload.x.startWith('a')", 'startsWith', 10],
    ['a mistyped function', 'sise(payload.x) > 1', 'size', 0],
    ['a mistyped loop', 'payload.list.exist(x, x > 1)', 'exists', 19],
  ])('suggests the function that is meant by %s, and lists the known ones', (_, source, name, column) => {
    const [sentence, line, caret] = problemOf(source);

    expect(sentence).toContain(`Did you mean "${name}"? Known names: `);
    expect(sentence).not.toMatch(/matches|duration|strict_/);
    expect([line, caret]).toEqual([source, `${' '.repeat(column)}^`]);
  });

  test('names the ways to write a function that is called with wrong operands', () => {
    expect(problemOf("registrationId.startsWith('a', 'b')")[0]).toContain(
      'It is written string.startsWith(string): bool',
    );
  });

  test('shows the part of a long expression that has the place', () => {
    const source = `${'payload.a == 1 || '.repeat(20)}paylod.b == 2`;
    const [, line = '', caret = ''] = problemOf(source);

    expect(line.length).toBeLessThanOrEqual(102);
    expect(line.slice(caret.length - 1)).toMatch(/^paylod\.b/);
  });

  test('does not repeat an expression that may hold a secret', () => {
    expect(problemOf("paylod.a == 'SharedAccessKey=c2VjcmV0'").join('\n')).not.toContain('c2VjcmV0');
  });
});
