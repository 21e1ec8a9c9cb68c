import { describe, expect, test } from '@jest/globals';
import { parseJsonText } from '../src/json/json-text.ts';
import { fc } from './support/properties.ts';

/** Where and why a text is no JSON. */
function wrongWith(text: string): string {
  const parsed = parseJsonText(text);
  return parsed.ok ? 'it is JSON' : `${parsed.at.line}:${parsed.at.column} ${parsed.what}`;
}

describe('a text that is JSON', () => {
  test('gives the same result as JSON.parse for any JSON with any white space', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2, '\t', '\n \r'), (json, space) => {
        const text = JSON.stringify(json, undefined, space === '\n \r' ? 1 : space);
        const written = space === '\n \r' ? text.replaceAll('\n', '\r\n') : text;

        const parsed = parseJsonText(written);

        expect(parsed).toEqual({ ok: true, json: JSON.parse(written), repeated: [] });
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    '"\\u0041\\n\\/"',
    '-0.5e-3',
    ' [ ] ',
    '{"a":{"b":{}},"c":[{},[]]}',
    'null',
    '"line\u2028separator"',
    '1e308',
  ])('is parsed: %s', (text) => {
    expect(parseJsonText(text)).toEqual({ ok: true, json: JSON.parse(text), repeated: [] });
  });

  test('may be nested a million levels deep', () => {
    const text = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;

    expect(parseJsonText(text).ok).toBe(true);
  });
});

describe('a text that is not JSON', () => {
  test.each([
    ['', '1:1 it is empty'],
    [' \n ', '2:2 it is empty'],
    ['{\n  "a": 1,\n}', '3:1 remove the comma before this "}"'],
    ['[1,\r\n 2 ,]', '2:5 remove the comma before this "]"'],
    ['{\n  // why\n  "a": 1}', '2:3 JSON has no comments: remove this one'],
    ['[1, /* why */ 2]', '1:5 JSON has no comments: remove this one'],
    ['{"a": 1} # end', '1:10 JSON has no comments: remove this one'],
    ['{"a":\n 1e999}', '2:2 this number is too large: at most about 1.8e308'],
    ['[-1e999]', '1:2 this number is too large: at most about 1.8e308'],
    ['{"a": 01}', '1:7 this is not a JSON number, such as 5, -0.5 or 1e3'],
    ['[.5]', '1:2 a value is expected here'],
    ['[5.]', '1:2 this is not a JSON number, such as 5, -0.5 or 1e3'],
    ['[+1]', '1:2 a value is expected here'],
    ['[0x10]', '1:2 this is not a JSON number, such as 5, -0.5 or 1e3'],
    ['[-]', '1:2 a number is expected here'],
    ['[NaN]', '1:2 JSON has no NaN'],
    ['[True]', '1:2 a value is expected here'],
    ['[trueish]', '1:2 a value is expected here'],
    ["{'a': 1}", '1:2 write texts and keys in double quotes'],
    ['{a: 1}', '1:2 a key in double quotes is expected here'],
    ['{"a" 1}', '1:6 ":" after the key is expected here'],
    ['{"a": 1 "b": 2}', '1:9 "," or "}" is expected here'],
    ['[1 2]', '1:4 "," or "]" is expected here'],
    ['{"a": "x\n"}', '1:7 a text that begins here has no closing quote on its line'],
    ['{"a": "x', '1:7 a text that begins here has no closing quote on its line'],
    ['["a\tb"]', '1:4 write a control character in a text as \\u00XX or \\t'],
    ['["\\x"]', '1:3 "\\" does not begin an escape of JSON: write "\\\\" for a backslash'],
    ['["\\u12"]', '1:3 "\\" does not begin an escape of JSON: write "\\\\" for a backslash'],
    ['{"a": ', '1:7 it ends too early: a value is missing'],
    ['{"a": [1', '1:9 it ends too early: "," or "]" is missing'],
    ['{"a": 1}}', '1:9 the end of the file is expected here'],
    ['{"a": 1} {', '1:10 the end of the file is expected here'],
    ['{"ä😀": x}', '1:9 a value is expected here'],
  ])('is refused with the place and the reason: %j', (text, wrong) => {
    expect(wrongWith(text)).toBe(wrong);
  });

  test('is refused exactly when JSON.parse refuses it, except for numbers that are too large', () => {
    const pieces = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"a"',
        '"b',
        '1',
        '-',
        '1.5',
        '.',
        'true',
        'null',
        ' ',
        '\\',
        '\n',
        '//',
      ],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }

        expect([text, parseJsonText(text).ok]).toEqual([text, isJson]);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a key that is written twice in one object', () => {
  test('is found at any depth with both places', () => {
    const parsed = parseJsonText(
      '{"rules": [{"when": "a",\n  "require": {"x": 1, "x": 2},\n  "when": "b"}], "rules": []}',
    );

    expect(parsed.ok && parsed.repeated).toEqual([
      { path: ['rules', 0, 'require', 'x'], first: { line: 2, column: 15 }, again: { line: 2, column: 23 } },
      { path: ['rules', 0, 'when'], first: { line: 1, column: 13 }, again: { line: 3, column: 3 } },
      { path: ['rules'], first: { line: 1, column: 2 }, again: { line: 3, column: 18 } },
    ]);
  });

  test('is the same in any escaping and may occur once in each of two objects', () => {
    const repeatedIn = (text: string) => {
      const parsed = parseJsonText(text);
      return parsed.ok ? parsed.repeated.map(({ path }) => path.join('.')) : undefined;
    };

    expect(repeatedIn('{"a": 1, "\\u0061": 2}')).toEqual(['a']);
    expect(repeatedIn('{"": 1, "": 2}')).toEqual(['']);
    expect(repeatedIn('{"__proto__": 1, "__proto__": 2}')).toEqual(['__proto__']);
    expect(repeatedIn('{"a": {"a": 1}, "A": [{"a": 1}, {"a": 1}]}')).toEqual([]);
  });
});
