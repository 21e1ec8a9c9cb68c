import type { TokenCursor } from './cursor.ts';
import { FUNCTIONS } from './functions.ts';
import type { BinaryOperator, Path, QueryExpression } from './syntax.ts';
import { invalidQuery, type Token } from './tokens.ts';

/*
 * The grammar, from the weakest to the strongest operator:
 *
 *   expression = conjunction { OR conjunction }
 *   conjunction = negation { AND negation }
 *   negation = NOT negation | comparison
 *   comparison = sum [ ( = | != | <> | < | <= | > | >= ) sum | [ NOT ] IN list | NIN list ]
 *   sum = product { ( + | - ) product }
 *   product = factor { ( * | / | % ) factor }
 *   factor = - factor | + factor | constant | path | function ( [ expression { , expression } ] ) | ( expression )
 *   list = "[" constant { , constant } "]"
 *   path = name { . name | "[[" name "]]" | "[" text "]" }
 */

/** Deeper expressions are refused, so that a query cannot exhaust the stack. */
const MAX_DEPTH = 100;

const COMPARISONS: ReadonlyMap<string, BinaryOperator> = new Map<string, BinaryOperator>([
  ['=', '='],
  ['!=', '!='],
  ['<>', '!='],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
]);

/** Words that cannot be the first name of a path. */
const RESERVED: ReadonlySet<string> = new Set([
  ...['select', 'top', 'from', 'where', 'group', 'by', 'as', 'and', 'or', 'not', 'in', 'nin'],
  ...['order', 'having', 'join', 'distinct', 'limit', 'offset', 'union', 'like', 'between', 'exists'],
]);

/**
 * Reads an expression.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readExpression(cursor: TokenCursor, depth = 0): QueryExpression {
  if (depth > MAX_DEPTH) throw invalidQuery(`the condition has more than ${MAX_DEPTH} levels`);
  let left = readConjunction(cursor, depth);
  while (cursor.take('or')) left = binary('or', left, readConjunction(cursor, depth));
  return left;
}

function readConjunction(cursor: TokenCursor, depth: number): QueryExpression {
  let left = readNegation(cursor, depth);
  while (cursor.take('and')) left = binary('and', left, readNegation(cursor, depth));
  return left;
}

function readNegation(cursor: TokenCursor, depth: number): QueryExpression {
  let negations = 0;
  while (cursor.take('not')) negations += 1;
  const of = readComparison(cursor, depth);
  // NOT NOT x is x as a condition, but it is not x itself.
  if (negations === 0) return of;
  const once: QueryExpression = { kind: 'not', of };
  return negations % 2 === 1 ? once : { kind: 'not', of: once };
}

function readComparison(cursor: TokenCursor, depth: number): QueryExpression {
  const left = readSum(cursor, depth);
  const token = cursor.peek;
  const operator = token?.kind === 'symbol' ? COMPARISONS.get(token.text) : undefined;
  if (operator !== undefined) {
    cursor.next();
    return binary(operator, left, readSum(cursor, depth));
  }
  if (cursor.take('in')) return { kind: 'in', isNegated: false, of: left, list: readList(cursor, depth) };
  if (cursor.take('nin')) return { kind: 'in', isNegated: true, of: left, list: readList(cursor, depth) };
  if (cursor.isNext('not') && isWord(cursor.following, 'in')) {
    cursor.expect('not');
    cursor.expect('in');
    return { kind: 'in', isNegated: true, of: left, list: readList(cursor, depth) };
  }
  return left;
}

function readList(cursor: TokenCursor, depth: number): readonly QueryExpression[] {
  cursor.expect('[');
  const list = cursor.list(() => readFactor(cursor, depth + 1));
  cursor.expect(']');
  const isConstant = ({ kind }: QueryExpression) => kind === 'constant' || kind === 'negative';
  if (!list.every(isConstant)) throw invalidQuery('a list of IN and NIN holds only constants');
  return list;
}

function readSum(cursor: TokenCursor, depth: number): QueryExpression {
  let left = readProduct(cursor, depth);
  for (;;) {
    if (cursor.take('+')) left = binary('+', left, readProduct(cursor, depth));
    else if (cursor.take('-')) left = binary('-', left, readProduct(cursor, depth));
    else return left;
  }
}

function readProduct(cursor: TokenCursor, depth: number): QueryExpression {
  let left = readFactor(cursor, depth);
  for (;;) {
    if (cursor.take('*')) left = binary('*', left, readFactor(cursor, depth));
    else if (cursor.take('/')) left = binary('/', left, readFactor(cursor, depth));
    else if (cursor.take('%')) left = binary('%', left, readFactor(cursor, depth));
    else return left;
  }
}

function readFactor(cursor: TokenCursor, depth: number): QueryExpression {
  if (depth > MAX_DEPTH) throw invalidQuery(`the condition has more than ${MAX_DEPTH} levels`);
  if (cursor.take('-')) return { kind: 'negative', of: readFactor(cursor, depth + 1) };
  if (cursor.take('+')) return readFactor(cursor, depth + 1);
  if (cursor.take('(')) {
    const inner = readExpression(cursor, depth + 1);
    cursor.expect(')');
    return inner;
  }
  const token = cursor.peek;
  if (token?.kind === 'number') {
    cursor.next();
    return constant(token.value);
  }
  if (token?.kind === 'text') {
    cursor.next();
    return constant(token.text);
  }
  if (isSymbol(cursor.following, '(') && token?.kind === 'word') return readCall(cursor, depth);
  const named = readConstant(cursor);
  return named ?? { kind: 'path', path: readPath(cursor) };
}

function readConstant(cursor: TokenCursor): QueryExpression | undefined {
  if (isSymbol(cursor.following, '.')) return undefined;
  if (cursor.take('true')) return constant(true);
  if (cursor.take('false')) return constant(false);
  if (cursor.take('null')) return constant(null);
  if (cursor.take('undefined')) return constant(undefined);
  return undefined;
}

function readCall(cursor: TokenCursor, depth: number): QueryExpression {
  const written = cursor.next().text;
  const name = written.toLowerCase();
  const known = FUNCTIONS.get(name);
  if (known === undefined) throw invalidQuery(`unknown function ${written.slice(0, 40)}`);
  cursor.expect('(');
  const parameters = cursor.isNext(')') ? [] : cursor.list(() => readExpression(cursor, depth + 1));
  cursor.expect(')');
  const [least, most] = known.parameters;
  if (parameters.length < least || parameters.length > most) {
    const wanted = least === most ? `${least}` : `${least} to ${most}`;
    throw invalidQuery(`${name.toUpperCase()} takes ${wanted} parameters, not ${parameters.length}`);
  }
  return { kind: 'call', name, parameters };
}

/**
 * Reads a path.
 *
 * @example tags.site, configurations.[[my-config]].status, tags['a b']
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readPath(cursor: TokenCursor): Path {
  const first = cursor.next();
  const isName = first.kind === 'key' || (first.kind === 'word' && !RESERVED.has(first.text.toLowerCase()));
  if (!isName) throw invalidQuery(`${first.text.slice(0, 40) || "''"} is not a property`);
  const path = [first.text];
  for (;;) {
    const token = cursor.peek;
    if (token?.kind === 'key') path.push(cursor.next().text);
    else if (cursor.take('.')) path.push(readKey(cursor));
    else if (isSymbol(token, '[') && cursor.following?.kind === 'text') {
      cursor.expect('[');
      path.push(cursor.next().text);
      cursor.expect(']');
    } else return path;
  }
}

function readKey(cursor: TokenCursor): string {
  const token = cursor.next();
  if (token.kind === 'word' || token.kind === 'key') return token.text;
  throw invalidQuery(`unexpected ${token.text.slice(0, 40)} after a dot`);
}

function binary(operator: BinaryOperator, left: QueryExpression, right: QueryExpression): QueryExpression {
  return { kind: 'binary', operator, left, right };
}

function constant(value: string | number | boolean | null | undefined): QueryExpression {
  return { kind: 'constant', value };
}

function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.text === symbol;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toLowerCase() === word;
}
