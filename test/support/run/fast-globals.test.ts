import { describe, expect, test } from '@jest/globals';
import { createTransformer } from './fast-globals.cjs';

/** What the module gives to its `exports`. */
function run(code: string): Record<string, unknown> {
  const exports: Record<string, unknown> = {};
  new Function('exports', transformed(code))(exports);
  return exports;
}

const transformed = (code: string): string =>
  createTransformer(undefined).process(code, 'x.cjs', undefined).code;

describe('a module with its globals in variables', () => {
  test('has the globals of the sandbox', () => {
    const { list, is } = run(
      'exports.list = Array.from(new Set([1])); exports.is = [] instanceof Array && Error === globalThis.Error;',
    );

    expect([list, is]).toEqual([[1], true]);
  });

  test.each([
    ['as a class', 'class Set {} exports.own = new Set(); exports.map = new Map();'],
    ['as a constant', "const Set = () => 'own'; exports.own = Set; exports.map = new Map();"],
    ['in braces', "const { Set } = { Set: 'own' }; exports.own = Set; exports.map = new Map();"],
    [
      'in braces over several lines',
      "const {\n  Map: Own,\n  Set\n} = { Set: 'own' }; exports.own = Set; exports.map = new Map();",
    ],
    [
      'in braces with another name',
      "const { a: Set } = { a: 'own' }; exports.own = Set; exports.map = new Map();",
    ],
  ])('keeps a name that it declares itself %s', (_, code) => {
    expect(run(code)).toMatchObject({ own: expect.anything(), map: new Map() });
  });

  test('stays strict, and its lines keep their numbers', () => {
    const code =
      "'use strict';\n\nexports.isStrict = (function () { return this === undefined; })();\nObject.freeze({});";

    expect(run(code)).toEqual({ isStrict: true });
    expect(transformed(code).split('\n').slice(1)).toEqual(code.split('\n').slice(1));
  });

  test('has no variable for a global that it does not use, or that fake timers replace', () => {
    expect(transformed('exports.at = Date.now();')).toBe('exports.at = Date.now();');
    expect(transformed('exports.names = Object.keys({});')).not.toContain('Array');
  });
});
