import { isObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { CONDITION_FUNCTIONS, type ConditionValue } from './condition-functions.ts';
import type { HubCondition, HubConditionOperator, PathStep } from './condition-syntax.ts';

/** What a condition can read of one message. */
export interface MessageFacts {
  /** A property of the application. Names are not case-sensitive. */
  property(name: string): string | number | boolean | undefined;
  /** A system property, without `$`. Names are not case-sensitive. */
  system(name: string): string | undefined;
  /** The JSON body; undefined if the message does not say that it has one. */
  body(): JsonValue | undefined;
  /** The twin of the sender, after the change; undefined if there is none. */
  twin(): JsonValue | undefined;
}

/** Whether a message matches the condition of a route. Only `true` does: undefined, null and every other value do not. */
export function matchesCondition(condition: HubCondition, message: MessageFacts): boolean {
  return evaluate(condition, message) === true;
}

function evaluate(condition: HubCondition, message: MessageFacts): ConditionValue {
  switch (condition.kind) {
    case 'constant':
      return condition.value;
    case 'property':
      return message.property(condition.name);
    case 'system':
      return message.system(condition.name) ?? message.property(`$${condition.name}`);
    case 'body':
      return memberAt(message.body(), condition.path, false);
    case 'twin':
      return memberAt(message.twin(), condition.path, true);
    case 'call':
      return CONDITION_FUNCTIONS[condition.name]?.call(
        ...condition.operands.map((operand) => evaluate(operand, message)),
      );
    case 'not': {
      const value = evaluate(condition.operand, message);
      return typeof value === 'boolean' ? !value : undefined;
    }
    case 'negate': {
      const value = evaluate(condition.operand, message);
      return typeof value === 'number' ? -value : undefined;
    }
    case 'binary':
      return binary(condition.operator, evaluate(condition.left, message), () =>
        evaluate(condition.right, message),
      );
  }
}

function binary(
  operator: HubConditionOperator,
  left: ConditionValue,
  readRight: () => ConditionValue,
): ConditionValue {
  if (operator === 'and' && left === false) return false;
  if (operator === 'or' && left === true) return true;
  if (operator === '??' && left !== undefined) return left;
  const right = readRight();
  switch (operator) {
    case '??':
      return right;
    case 'and':
      // Three values: undefined AND false is false, undefined AND true is undefined.
      return right === false ? false : left === true && right === true ? true : undefined;
    case 'or':
      return right === true ? true : left === false && right === false ? false : undefined;
    case '=':
    case '!=':
      return isComparable(left, right) ? (left === right) === (operator === '=') : undefined;
    case '||':
      return typeof left === 'string' && typeof right === 'string' ? left + right : undefined;
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compared(operator, left, right);
    default:
      return typeof left === 'number' && typeof right === 'number'
        ? calculated(operator, left, right)
        : undefined;
  }
}

/** Only primitive values of one type can be compared. */
function isComparable(left: ConditionValue, right: ConditionValue): boolean {
  if (left === null || right === null) return left === right;
  return typeof left === typeof right && ['string', 'number', 'boolean'].includes(typeof left);
}

function compared(
  operator: '<' | '<=' | '>' | '>=',
  left: ConditionValue,
  right: ConditionValue,
): boolean | undefined {
  const isNumbers = typeof left === 'number' && typeof right === 'number';
  const isTexts = typeof left === 'string' && typeof right === 'string';
  if (!isNumbers && !isTexts) return undefined;
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

function calculated(operator: '+' | '-' | '*' | '/' | '%', left: number, right: number): number | undefined {
  const results = {
    '+': left + right,
    '-': left - right,
    '*': left * right,
    '/': left / right,
    '%': left % right,
  };
  const result = results[operator];
  return Number.isFinite(result) ? result : undefined;
}

/**
 * The value at a path; undefined if there is none.
 *
 * @param isLoose names are not case-sensitive, as in twins
 */
export function memberAt(
  root: JsonValue | undefined,
  path: readonly PathStep[],
  isLoose: boolean,
): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((value, { name, index }) => {
    if (!isObject(value)) return undefined;
    const exact = ownMember(value, name);
    const member = exact === undefined && isLoose ? looseMember(value, name) : exact;
    if (index === undefined) return member;
    return Array.isArray(member) ? (member as readonly JsonValue[])[index] : undefined;
  }, root);
}

function looseMember(value: Readonly<Record<string, JsonValue>>, name: string): JsonValue | undefined {
  const wanted = name.toLowerCase();
  return Object.entries(value).find(([key]) => key.toLowerCase() === wanted)?.[1];
}
