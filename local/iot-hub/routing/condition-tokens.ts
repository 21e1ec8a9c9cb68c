/**
 * The words of a route condition. The rules are those of the routing engine of IoT Edge (Azure/iotedge,
 * Microsoft.Azure.Devices.Routing.Core, GrammarLexer.g4), which Microsoft took from IoT Hub. A name ends only at white space,
 * a bracket, an operator of comparison or one of `()<>@,;:\"/?={}`: `a-b` is one name, and `a - b` a difference.
 */
export type ConditionToken =
  | { readonly kind: 'text'; readonly value: string; readonly at: number }
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  /** A name of a property, a keyword or a function. */
  | { readonly kind: 'name'; readonly value: string; readonly at: number }
  /** `$name`, `$body.path[0]`, `$twin.path`, without the `$`. */
  | { readonly kind: 'system'; readonly value: string; readonly at: number }
  | { readonly kind: 'sign'; readonly value: string; readonly at: number }
  | { readonly kind: 'end'; readonly value: ''; readonly at: number };

/** What is wrong with a condition, and where. */
export interface ConditionProblem {
  /** Number of the character, from 1. */
  readonly at: number;
  /** As the end of a sentence: "expected a value". */
  readonly message: string;
}

const SIGNS = ['<=', '>=', '<>', '!=', '||', '??', '=', '<', '>', '(', ')', ',', '{', '}'] as const;
/** Signs that can also be characters of a name, and stand for themselves only between white space. */
const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%']);
const WHITE_SPACE = /[ \t\r\n]/;
const NAME = /^(?:(?!!=|\|\||[()<>@,;:\\"'/[\]?={}\s]).)+/;
const SYSTEM = /^\$(?:(?!!=|\|\||[()<>@,;:\\"'/?={}\s]).)+/;
const NUMBER = /^-?(?:\d+(?:\.\d+)?|\.\d+)(?:[Ee][+-]?\d+)?$/;
const HEXADECIMAL = /^0[Xx][0-9a-fA-F]+$/;
const COMMENT = /^\/\*.*?\*\//s;
const TEXT = /^(?:"(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^"\\])*"|'(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^'\\])*')/;

/** Splits a condition into its words, with an `end` at the end; or says what is wrong. */
export function conditionTokens(condition: string): readonly ConditionToken[] | ConditionProblem {
  const tokens: ConditionToken[] = [];
  let position = 0;
  while (position < condition.length) {
    const rest = condition.slice(position);
    const at = position + 1;
    const skipped = WHITE_SPACE.test(rest[0] ?? '') ? 1 : (COMMENT.exec(rest)?.[0].length ?? 0);
    if (skipped > 0) {
      position += skipped;
      continue;
    }
    const token = tokenAt(rest, at);
    if ('message' in token) return token;
    tokens.push(token.token);
    position += token.length;
  }
  return [...tokens, { kind: 'end', value: '', at: condition.length + 1 }];
}

function tokenAt(rest: string, at: number): { token: ConditionToken; length: number } | ConditionProblem {
  if (rest.startsWith("'") || rest.startsWith('"')) {
    const quoted = TEXT.exec(rest)?.[0];
    if (quoted === undefined) return { at, message: 'the text has no closing quote, or an unknown escape' };
    return { token: { kind: 'text', value: unescaped(quoted.slice(1, -1)), at }, length: quoted.length };
  }
  const sign = SIGNS.find((each) => rest.startsWith(each));
  if (sign !== undefined) return { token: { kind: 'sign', value: sign, at }, length: sign.length };
  const system = SYSTEM.exec(rest)?.[0];
  if (system !== undefined)
    return { token: { kind: 'system', value: system.slice(1), at }, length: system.length };
  const name = NAME.exec(rest)?.[0] ?? (rest.startsWith('/') ? '/' : undefined);
  if (name === undefined) return { at, message: `the character ${JSON.stringify(rest[0])} is not allowed` };
  if (NUMBER.test(name) || HEXADECIMAL.test(name))
    return { token: { kind: 'number', value: Number(name), at }, length: name.length };
  const kind = ARITHMETIC.has(name) ? 'sign' : 'name';
  return { token: { kind, value: name, at }, length: name.length };
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code?: string, character?: string) =>
    code === undefined ? (character ?? '') : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
