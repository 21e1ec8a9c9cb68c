import { HubRefusal } from '../model/hub-error.ts';

/** A part of a query. A word is a name or keyword; a key is the text between double brackets. */
export type Token =
  | { readonly kind: 'word' | 'key' | 'symbol'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string; readonly value: number };

/**
 * The patterns of tokens, tried in this order. A hyphen inside a name belongs to the name, so `chiller-water` is one
 * word, and a subtraction needs a space.
 */
const PATTERNS: readonly (readonly [kind: Token['kind'] | 'space', pattern: RegExp])[] = [
  ['space', /(?:\s+|\/\*[\s\S]*?\*\/)+/y],
  ['text', /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"/y],
  ['number', /0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y],
  ['key', /\[\[[^\]]+\]\]/y],
  ['word', /[\p{L}_$][\p{L}\p{N}_$]*(?:-[\p{L}\p{N}_$]+)*/uy],
  ['symbol', /<=|>=|<>|!=|[=<>,*()[\].+\-/%]/y],
];

/**
 * Splits a query into tokens.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function tokensOf(query: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < query.length) {
    const [kind, text] = matchAt(query, at);
    at += text.length;
    if (kind !== 'space') tokens.push(tokenOf(kind, text));
  }
  return tokens;
}

function matchAt(query: string, at: number): readonly [kind: Token['kind'] | 'space', text: string] {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const text = pattern.exec(query)?.[0];
    if (text !== undefined) return [kind, text];
  }
  throw invalidQuery(`unexpected ${query.slice(at, at + 20)}`);
}

function tokenOf(kind: Token['kind'], text: string): Token {
  switch (kind) {
    case 'text':
      return { kind, text: unescaped(text) };
    case 'number':
      return { kind, text, value: Number(text) };
    case 'key':
      return { kind, text: text.slice(2, -2) };
    default:
      return { kind, text };
  }
}

/** The escapes `\'`, `\"`, `\\` and `\uXXXX`, and a doubled quote. */
function unescaped(literal: string): string {
  const quote = literal[0] ?? '';
  return literal
    .slice(1, -1)
    .replaceAll(/\\u([0-9a-fA-F]{4})|\\([\s\S])|(''|"")/g, (match, code, character, doubled) => {
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      if (character !== undefined) return character;
      return doubled === quote + quote ? quote : match;
    });
}

/** The refusal of a query. @param reason what is wrong, without a full stop */
export function invalidQuery(reason: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', `BadRequest: ${reason}`);
}
