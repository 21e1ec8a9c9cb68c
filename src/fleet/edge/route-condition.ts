import { nearest } from '../../nearest.ts';
import type { RouteToken, TokenReader } from './route-tokens.ts';

/*
 * The condition of an edgeHub route, in the grammar of iotedge (Routing.Core/grammar/Condition.g4, query/ConditionVisitor.cs).
 * edgeHub checks the types of operands when it compiles a route: one route that it refuses disables all new routes.
 */

/** A part of a route that edgeHub would refuse. */
export class RouteProblem extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** `query`: a value of the body, whose type is known only when a message arrives. */
type ValueType = 'text' | 'number' | 'boolean' | 'null' | 'undefined' | 'query';

interface Operand {
  readonly type: ValueType;
  readonly at: number;
}

/** From the weakest to the strongest. */
const LEVELS: readonly (readonly string[])[] = [
  ['??'],
  ['or'],
  ['and'],
  ['=', '!=', '<>'],
  ['<', '<=', '>', '>='],
  ['+', '-', '||'],
  ['*', '/', '%'],
];

interface Builtin {
  readonly least: number;
  readonly most: number;
  readonly type: ValueType;
}

const takes = (type: ValueType, least: number, most = least): Builtin => ({ least, most, type });

const BUILTINS: ReadonlyMap<string, Builtin> = new Map([
  ...['abs', 'exp', 'square', 'ceiling', 'floor', 'sign', 'sqrt', 'as_number', 'length'].map(
    (name) => [name, takes('number', 1)] as const,
  ),
  ['power', takes('number', 2)],
  ['index_of', takes('number', 2)],
  ...['is_bool', 'is_defined', 'is_null', 'is_number', 'is_string'].map(
    (name) => [name, takes('boolean', 1)] as const,
  ),
  ...['starts_with', 'ends_with', 'contains'].map((name) => [name, takes('boolean', 2)] as const),
  ['lower', takes('text', 1)],
  ['upper', takes('text', 1)],
  ['substring', takes('text', 2, 3)],
  ['concat', takes('text', 2, Number.POSITIVE_INFINITY)],
]);

/** More levels would exhaust the stack of edgeHub too. */
const MOST_LEVELS = 100;

/**
 * Reads a condition up to the end of the route or its INTO.
 *
 * @throws RouteProblem
 */
export function readCondition(tokens: TokenReader): void {
  const whole = expression(tokens, 0, 0);
  if (whole.type === 'text' || whole.type === 'number') {
    throw new RouteProblem(whole.at, `is a ${whole.type}, and not a condition: compare it with a value`);
  }
}

function expression(tokens: TokenReader, level: number, depth: number): Operand {
  if (depth > MOST_LEVELS) throw new RouteProblem(tokens.peek().at, 'has too many levels of parentheses');
  const signs = LEVELS[level];
  if (signs === undefined) return unary(tokens, depth);
  let left = expression(tokens, level + 1, depth);
  while (signs.includes(signText(tokens.peek()))) {
    const sign = tokens.take();
    // `==` is two signs.
    if (sign.text === '=' && tokens.peek().text === '=') {
      throw new RouteProblem(sign.at, 'has "==": write one "="');
    }
    const right = expression(tokens, level + 1, depth);
    left = { type: resultOf(sign, left, right), at: left.at };
  }
  return left;
}

function signText({ kind, text }: RouteToken): string {
  return kind === 'sign' || kind === 'and' || kind === 'or' ? text.toLowerCase() : '';
}

function unary(tokens: TokenReader, depth: number): Operand {
  const peek = tokens.peek();
  if (peek.kind === 'not') {
    tokens.take();
    const of = unary(tokens, depth + 1);
    check(of, 'boolean', `NOT applies to a ${of.type}: write NOT (…) around the whole comparison`);
    return { type: 'boolean', at: peek.at };
  }
  if (tokens.takeSign('-')) {
    const of = unary(tokens, depth + 1);
    check(of, 'number', `"-" applies to a ${of.type}, not to a number`);
    return { type: 'number', at: peek.at };
  }
  return primary(tokens, depth);
}

function primary(tokens: TokenReader, depth: number): Operand {
  const token = tokens.take();
  const { at, text } = token;
  switch (token.kind) {
    case 'string':
      return { type: 'text', at };
    case 'number':
      return { type: 'number', at };
    case 'bool':
      return { type: 'boolean', at };
    case 'null':
    case 'undefined':
      return { type: token.kind, at };
    case 'system':
      return { type: systemType(token), at };
    case 'id':
      if (tokens.takeSign('(')) return call(token, tokens, depth + 1);
      return { type: 'text', at };
    case 'unterminated':
      throw new RouteProblem(at, `has a text without its closing ${text[0]}`);
    case 'end':
      throw new RouteProblem(at, 'ends where a value is expected');
    case 'unknown':
      if (text === '{') return escapedProperty(tokens, token);
      break;
    case 'sign':
      if (text === '(') {
        const inner = expression(tokens, 0, depth + 1);
        if (!tokens.takeSign(')')) throw new RouteProblem(at, 'has a "(" without its ")"');
        return { ...inner, at };
      }
      break;
    default:
  }
  throw new RouteProblem(at, `has ${JSON.stringify(text)} where a value is expected`);
}

/** `{$name}` reads the system property and never a property of the message with the same name. */
function escapedProperty(tokens: TokenReader, { at }: RouteToken): Operand {
  const property = tokens.take();
  const close = tokens.take();
  if (property.kind !== 'system' || close.text !== '}') {
    throw new RouteProblem(at, 'has a "{": write {$name} for a system property');
  }
  return { type: systemType(property), at };
}

/** The subset of JSON path that edgeHub reads (query/jsonpath/JsonPath.g4). */
const BODY_PATH = /^[^()<>@,;:\\"/[\]?={}.]+(?:\[[0-9]+\])?(?:\.[^()<>@,;:\\"/[\]?={}.]+(?:\[[0-9]+\])?)*$/;

function systemType({ text, at }: RouteToken): ValueType {
  if (/^\$twin\b/i.test(text)) {
    throw new RouteProblem(
      at,
      `reads ${text}: routes of edgeHub cannot read twins. Compare a property of the message`,
    );
  }
  if (!/^\$body\./i.test(text)) return 'text';
  const path = text.slice('$body.'.length);
  if (!BODY_PATH.test(path)) {
    throw new RouteProblem(
      at,
      `reads ${text}: write a path such as $body.machine.temperature or $body.readings[0]`,
    );
  }
  return 'query';
}

function call({ text, at }: RouteToken, tokens: TokenReader, depth: number): Operand {
  const name = text.toLowerCase();
  const builtin = BUILTINS.get(name);
  if (builtin === undefined) {
    const near = nearest(name, [...BUILTINS.keys()]);
    throw new RouteProblem(
      at,
      `calls ${text}, which edgeHub does not know: ${near === undefined ? `write one of ${[...BUILTINS.keys()].join(', ')}` : `did you mean ${near}?`}`,
    );
  }
  let given = 0;
  if (!tokens.takeSign(')')) {
    do {
      expression(tokens, 0, depth);
      given += 1;
    } while (tokens.takeSign(','));
    if (!tokens.takeSign(')')) throw new RouteProblem(at, `has no ")" after the values of ${text}`);
  }
  if (given < builtin.least || given > builtin.most) {
    throw new RouteProblem(at, `calls ${text} with ${given} values: it takes ${amount(builtin)}`);
  }
  return { type: builtin.type, at };
}

function amount({ least, most }: Builtin): string {
  if (least === most) return String(least);
  return most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most}`;
}

function resultOf(sign: RouteToken, left: Operand, right: Operand): ValueType {
  const text = sign.text.toLowerCase();
  const pair = `"${sign.text}" joins a ${left.type} and a ${right.type}`;
  switch (text) {
    case 'and':
    case 'or':
      for (const each of [left, right]) {
        check(each, 'boolean', `${pair}: both sides must be conditions`);
      }
      return 'boolean';
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      for (const each of [left, right])
        check(each, 'number', `${pair}: write as_number(…) around a property`);
      return 'number';
    case '||':
      for (const each of [left, right]) check(each, 'text', `${pair}: both sides must be texts`);
      return 'text';
    default:
      if (isKnown(left) && isKnown(right) && left.type !== right.type) {
        throw new RouteProblem(sign.at, `${pair}: ${sameKind(left, right)}`);
      }
      return text === '??' ? (isKnown(left) ? left.type : right.type) : 'boolean';
  }
}

function sameKind(left: Operand, right: Operand): string {
  const types = [left.type, right.type];
  return types.includes('text') && types.includes('number')
    ? 'properties of messages are texts, so write as_number(…) around the property, or quotes around the number'
    : 'both sides must be of one type';
}

function check(operand: Operand, type: ValueType, problem: string): void {
  if (isKnown(operand) && operand.type !== type) throw new RouteProblem(operand.at, problem);
}

/** A type that edgeHub knows when it compiles the route. */
function isKnown({ type }: Operand): boolean {
  return type === 'text' || type === 'number' || type === 'boolean';
}
