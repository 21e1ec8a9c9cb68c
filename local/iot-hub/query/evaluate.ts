import { type JsonObject, ownMember } from '../../../src/json/json.ts';
import { FUNCTIONS, finite } from './functions.ts';
import type { BinaryOperator, Path, QueryExpression, QueryValue } from './syntax.ts';

/**
 * Whether a document meets a condition. Every result except `true` counts as false, also a value that is not defined
 * (iot-hub-devguide-query-language.md, "Expressions and conditions").
 */
export function isMet(condition: QueryExpression | undefined, document: JsonObject): boolean {
  return condition === undefined || evaluate(condition, document) === true;
}

/** The value of an expression for a document. */
export function evaluate(expression: QueryExpression, document: JsonObject): QueryValue {
  switch (expression.kind) {
    case 'constant':
      return expression.value;
    case 'path':
      return queriedValue(document, expression.path);
    case 'not': {
      const value = evaluate(expression.of, document);
      return typeof value === 'boolean' ? !value : undefined;
    }
    case 'negative': {
      const value = evaluate(expression.of, document);
      return typeof value === 'number' ? -value : undefined;
    }
    case 'binary':
      return evaluateBinary(expression.operator, expression.left, expression.right, document);
    case 'in':
      return isIn(expression, document);
    case 'call': {
      const values = expression.parameters.map((parameter) => evaluate(parameter, document));
      return FUNCTIONS.get(expression.name)?.apply(...values);
    }
  }
}

/**
 * The value at a path. The keys that the hub defines, such as `deviceId` and `properties.reported`, match in any case
 * (query-twins.md: `SELECT DeviceId, LastActivityTime`). The keys of tags and properties match exactly.
 */
export function queriedValue(document: JsonObject, path: Path): QueryValue {
  let value: QueryValue = document;
  for (const key of storedPath(document, path)) value = ownMember(value, key);
  return value;
}

/** The path with the keys as they are in the document. */
export function storedPath(document: JsonObject, path: Path): Path {
  const [first = '', second, ...rest] = path;
  const head = matchingKey(document, first);
  if (second === undefined) return [head];
  const isSection = head === 'properties';
  const section = isSection ? (matchingKey(ownMember(document, head), second) ?? second) : second;
  return [head, section, ...rest];
}

function matchingKey(object: QueryValue, key: string): string {
  if (typeof object !== 'object' || object === null || Object.hasOwn(object, key)) return key;
  return Object.keys(object).find((known) => known.toLowerCase() === key.toLowerCase()) ?? key;
}

function evaluateBinary(
  operator: BinaryOperator,
  left: QueryExpression,
  right: QueryExpression,
  document: JsonObject,
): QueryValue {
  const first = evaluate(left, document);
  switch (operator) {
    case 'and':
      return first === false ? false : conjunction(first, evaluate(right, document));
    case 'or':
      return first === true ? true : disjunction(first, evaluate(right, document));
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return arithmetic(operator, first, evaluate(right, document));
    default:
      return comparison(operator, first, evaluate(right, document));
  }
}

function conjunction(left: QueryValue, right: QueryValue): QueryValue {
  if (right === false) return false;
  return left === true && right === true ? true : undefined;
}

function disjunction(left: QueryValue, right: QueryValue): QueryValue {
  if (right === true) return true;
  return left === false && right === false ? false : undefined;
}

function arithmetic(operator: '+' | '-' | '*' | '/' | '%', left: QueryValue, right: QueryValue): QueryValue {
  if (typeof left !== 'number' || typeof right !== 'number') return undefined;
  switch (operator) {
    case '+':
      return finite(left + right);
    case '-':
      return finite(left - right);
    case '*':
      return finite(left * right);
    case '/':
      return finite(left / right);
    case '%':
      return finite(left % right);
  }
}

/** Only primitive values of the same type can be compared. Any other comparison is not defined. */
function comparison(operator: BinaryOperator, left: QueryValue, right: QueryValue): QueryValue {
  if (left === null && right === null) return compareOrder(operator, 0);
  if (typeof left === 'number' && typeof right === 'number') return compareOrder(operator, left - right);
  if (typeof left === 'boolean' && typeof right === 'boolean') {
    return compareOrder(operator, Number(left) - Number(right));
  }
  if (typeof left === 'string' && typeof right === 'string') {
    return compareOrder(operator, left === right ? 0 : left < right ? -1 : 1);
  }
  return undefined;
}

function compareOrder(operator: BinaryOperator, order: number): QueryValue {
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return undefined;
  }
}

/** A value that is not defined is neither in a list nor outside of it. */
function isIn(expression: QueryExpression & { readonly kind: 'in' }, document: JsonObject): QueryValue {
  const value = evaluate(expression.of, document);
  if (value === undefined) return undefined;
  const isListed = expression.list.some((item) => comparison('=', value, evaluate(item, document)) === true);
  return isListed !== expression.isNegated;
}
