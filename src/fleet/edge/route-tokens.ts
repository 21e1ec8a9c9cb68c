/*
 * The tokens of an edgeHub route, by the rules of iotedge (Routing.Core/grammar/GrammarLexer.g4): the longest token wins, and
 * between equally long ones the first rule.
 */

export type RouteTokenKind =
  | 'select'
  | 'from'
  | 'where'
  | 'into'
  | 'string'
  | 'unterminated'
  | 'number'
  | 'bool'
  | 'null'
  | 'undefined'
  | 'and'
  | 'or'
  | 'not'
  | 'sign'
  | 'system'
  | 'id'
  | 'path'
  | 'unknown'
  | 'end';

export interface RouteToken {
  readonly kind: RouteTokenKind;
  readonly text: string;
  /** Its first character in the route, from 0. */
  readonly at: number;
}

/** In the order of the grammar. */
const RULES: readonly (readonly [RouteTokenKind | 'skipped', RegExp])[] = [
  ['select', /select/iy],
  ['from', /from/iy],
  ['where', /where/iy],
  ['into', /into/iy],
  ['string', /"(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^"\\])*"|'(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^'\\])*'/y],
  ['unterminated', /"(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^"\\])*|'(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^'\\])*/y],
  ['number', /-?[0-9]+/y],
  ['number', /0[xX][0-9a-fA-F]+/y],
  ['number', /-?[0-9]*(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)/y],
  ['bool', /true|false/y],
  ['null', /null/y],
  ['undefined', /undefined/y],
  ['and', /and/iy],
  ['or', /or/iy],
  ['not', /not/iy],
  ['sign', /!=|<>|<=|>=|\|\||\?\?|[(),+\-*/%=<>]/y],
  ['system', /\$[^()<>@,;:\\"/?={} \t\n\r]+/y],
  ['id', /[^()<>@,;:\\"/[\]?={} \t\n\r]+/y],
  ['path', /[^()<>@,;:\\"/?={} \t\n\r]+/y],
  ['skipped', /[ \t\r\n]+/y],
  ['skipped', /\/\*[\s\S]*?\*\//y],
  ['unknown', /[\s\S]/y],
];

/** The tokens of a route, with one of the kind `end` after the last. */
export function routeTokensOf(route: string): readonly RouteToken[] {
  const tokens: RouteToken[] = [];
  let at = 0;
  while (at < route.length) {
    let kind: RouteTokenKind | 'skipped' = 'unknown';
    let text = '';
    for (const [each, rule] of RULES) {
      rule.lastIndex = at;
      const found = rule.exec(route)?.[0] ?? '';
      if (found.length > text.length) [kind, text] = [each, found];
    }
    if (kind !== 'skipped') tokens.push({ kind, text, at });
    at += text.length;
  }
  tokens.push({ kind: 'end', text: '', at: route.length });
  return tokens;
}

/** Reads tokens one after the other. */
export class TokenReader {
  readonly #tokens: readonly RouteToken[];
  #next = 0;

  constructor(tokens: readonly RouteToken[]) {
    this.#tokens = tokens;
  }

  /** The next token, which stays the next one. */
  peek(): RouteToken {
    return this.#tokens[this.#next] as RouteToken;
  }

  take(): RouteToken {
    const token = this.peek();
    if (token.kind !== 'end') this.#next += 1;
    return token;
  }

  /** Takes the next token if it is this sign. */
  takeSign(text: string): boolean {
    const isNext = this.peek().kind === 'sign' && this.peek().text === text;
    if (isNext) this.#next += 1;
    return isNext;
  }
}
