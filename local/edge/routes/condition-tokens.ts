import { RouteError } from './message.ts';

/** What a part of a condition is. */
export type TokenKind = 'text' | 'number' | 'word' | 'property' | 'sign' | 'into' | 'end';

/** One part of a condition. */
export interface RouteConditionToken {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it begins in the route. */
  readonly at: number;
}

/** No name and no property of the system holds these characters, or white space. */
const NOT_IN_NAMES = String.raw`()<>@,;:\\"/?={}\s`;
/**
 * The longest rule that fits wins, and the first one of equal length (Routing.Core/grammar/Condition.g4, by ANTLR). So
 * `a-b` is one name and `a - b` a subtraction.
 */
const RULES: readonly (readonly [TokenKind, RegExp])[] = [
  ['into', /into/iy],
  ['text', /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/sy],
  ['number', /0[xX][0-9a-fA-F]+|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|-?\.\d+(?:[eE][+-]?\d+)?/y],
  ['sign', /!=|<>|<=|>=|\|\||\?\?|[(){},+\-*/%=<>]/y],
  ['property', new RegExp(String.raw`\$[^${NOT_IN_NAMES}]+`, 'y')],
  ['word', new RegExp(String.raw`[^${NOT_IN_NAMES}[\]$'][^${NOT_IN_NAMES}[\]]*`, 'y')],
];
const SPACE = /(?:\s|\/\*[\s\S]*?\*\/)*/y;

/**
 * The token at a place of a route, and where the next one begins.
 *
 * @throws RouteError for a text that does not belong in a condition, such as a quote that is not closed
 */
export function tokenAt(
  route: string,
  place: number,
): { readonly token: RouteConditionToken; readonly next: number } {
  SPACE.lastIndex = place;
  const at = place + (SPACE.exec(route)?.[0].length ?? 0);
  if (at >= route.length) return { token: { kind: 'end', text: '', at }, next: at };
  let token: RouteConditionToken | undefined;
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const text = rule.exec(route)?.[0] ?? '';
    if (text.length > (token?.text.length ?? 0)) token = { kind, text, at };
  }
  if (token === undefined) throw new RouteError(`unexpected ${route.slice(at, at + 10)} in ${route}`);
  return { token, next: at + token.text.length };
}
