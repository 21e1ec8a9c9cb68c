import { isObject, type JsonValue, jsonOrUndefined, ownMember } from '../../../src/json/json.ts';
import { type ConditionToken, tokenAt } from './condition-tokens.ts';
import { ROUTE_FUNCTIONS, type RouteValue } from './functions.ts';
import { type RoutedMessage, RouteError } from './message.ts';

/*
 * Conditions of routes: properties of a message, `$body.…` and properties of the system, with operators and functions
 * (Routing.Core/grammar/Condition.g4). Twin conditions do not work on a device (iot-edge-limits-and-restrictions.md).
 */

/** Whether a message meets the condition. A comparison with a missing value is not met. */
export type RouteCondition = (message: RoutedMessage) => boolean;

type Term = (message: RoutedMessage) => RouteValue;
type Join = (left: RouteValue, right: RouteValue) => RouteValue;

const isSame: Join = (left, right) => left !== undefined && left === right;
const differs: Join = (left, right) =>
  left !== undefined && right !== undefined && typeof left === typeof right && left !== right;
const ordered =
  (compare: (left: string | number, right: string | number) => boolean): Join =>
  (left, right) =>
    (typeof left === 'string' && typeof right === 'string') ||
    (typeof left === 'number' && typeof right === 'number')
      ? compare(left, right)
      : false;
const computed =
  (of: (left: number, right: number) => number): Join =>
  (left, right) =>
    typeof left === 'number' && typeof right === 'number' ? of(left, right) : undefined;

/** The operators, from the weakest to the strongest. */
const LEVELS: readonly ReadonlyMap<string, Join>[] = [
  new Map([['??', (left: RouteValue, right: RouteValue) => left ?? right]]),
  new Map([['or', (left: RouteValue, right: RouteValue) => left === true || right === true]]),
  new Map([['and', (left: RouteValue, right: RouteValue) => left === true && right === true]]),
  new Map([
    ['=', isSame],
    ['!=', differs],
    ['<>', differs],
  ]),
  new Map([
    ['<', ordered((left, right) => left < right)],
    ['<=', ordered((left, right) => left <= right)],
    ['>', ordered((left, right) => left > right)],
    ['>=', ordered((left, right) => left >= right)],
  ]),
  new Map([
    ['+', computed((left, right) => left + right)],
    ['-', computed((left, right) => left - right)],
    [
      '||',
      (left: RouteValue, right: RouteValue) =>
        typeof left === 'string' && typeof right === 'string' ? left + right : undefined,
    ],
  ]),
  new Map([
    ['*', computed((left, right) => left * right)],
    ['/', computed((left, right) => left / right)],
    ['%', computed((left, right) => left % right)],
  ]),
];

/**
 * Reads the condition of a route, up to its INTO.
 *
 * @param place where the condition begins
 * @returns the condition, and where INTO begins
 * @throws RouteError for a text that is no condition; `==` is none
 */
export function readRouteCondition(
  route: string,
  place: number,
): { readonly condition: RouteCondition; readonly into: number } {
  const reader = new Reader(route, place);
  const term = reader.level(0);
  return { condition: (message) => term(message) === true, into: reader.end() };
}

class Reader {
  readonly #route: string;
  #token: ConditionToken;
  #next: number;

  constructor(route: string, place: number) {
    this.#route = route;
    ({ token: this.#token, next: this.#next } = tokenAt(route, place));
  }

  /** @throws RouteError if something else than INTO follows */
  end(): number {
    if (this.#token.kind !== 'into') throw this.#unexpected(this.#token);
    return this.#token.at;
  }

  level(level: number): Term {
    const joins = LEVELS[level];
    if (joins === undefined) return this.#unary();
    let left = this.level(level + 1);
    for (;;) {
      const join = this.#isOperator() ? joins.get(this.#token.text.toLowerCase()) : undefined;
      if (join === undefined) return left;
      this.#take();
      const [before, after] = [left, this.level(level + 1)];
      left = (message) => join(before(message), after(message));
    }
  }

  #isOperator(): boolean {
    return this.#token.kind === 'sign' || this.#token.kind === 'word';
  }

  #unary(): Term {
    if (this.#token.kind === 'word' && this.#token.text.toLowerCase() === 'not') {
      this.#take();
      const term = this.#unary();
      return (message) => term(message) !== true;
    }
    if (!this.#takeSign('-')) return this.#primary();
    const term = this.#unary();
    return (message) => {
      const value = term(message);
      return typeof value === 'number' ? -value : undefined;
    };
  }

  #primary(): Term {
    const token = this.#take();
    const { kind, text } = token;
    switch (kind) {
      case 'text':
        return constant(unquoted(text));
      case 'number':
        return constant(Number(text));
      case 'property':
        return this.#property(text);
      case 'word':
        return this.#takeSign('(') ? this.#call(token) : named(text);
      case 'sign':
        if (text === '(') return this.#closed(this.level(0), ')');
        if (text === '{' && this.#token.kind === 'property')
          return this.#closed(this.#property(this.#take().text), '}');
        throw this.#unexpected(token);
      default:
        throw this.#unexpected(token);
    }
  }

  #closed(term: Term, sign: string): Term {
    if (!this.#takeSign(sign)) throw this.#wrong(`${sign} is expected`);
    return term;
  }

  #call({ text }: ConditionToken): Term {
    const known = ROUTE_FUNCTIONS.get(text.toLowerCase());
    if (known === undefined) throw this.#wrong(`unknown function ${text}`);
    const given: Term[] = [];
    if (!this.#takeSign(')')) {
      do given.push(this.level(0));
      while (this.#takeSign(','));
      if (!this.#takeSign(')')) throw this.#wrong(') is expected');
    }
    if (given.length < known.least || given.length > known.most)
      throw this.#wrong(`${text} does not take ${given.length} values`);
    return (message) => known.of(...given.map((term) => term(message)));
  }

  #property(name: string): Term {
    const [base = '', ...path] = name.split('.');
    if (base.toLowerCase() === '$body' && path.length > 0) return inBody(path.join('.'));
    if (base.toLowerCase() === '$twin') throw this.#wrong(`${name} reads a twin`);
    const read = SYSTEM_PROPERTIES[name.toLowerCase()];
    // Other properties of the system exist, and messages of modules do not have them.
    return read ?? (({ properties }) => (Object.hasOwn(properties, name) ? properties[name] : undefined));
  }

  #take(): ConditionToken {
    const token = this.#token;
    if (token.kind !== 'end') ({ token: this.#token, next: this.#next } = tokenAt(this.#route, this.#next));
    return token;
  }

  #takeSign(sign: string): boolean {
    const isNext = this.#token.kind === 'sign' && this.#token.text === sign;
    if (isNext) this.#take();
    return isNext;
  }

  #unexpected({ text }: ConditionToken): RouteError {
    return this.#wrong(text === '' ? 'the route ends too early' : `unexpected ${text}`);
  }

  #wrong(reason: string): RouteError {
    return new RouteError(`${reason} in the condition of ${this.#route}`);
  }
}

const SYSTEM_PROPERTIES: Readonly<Record<string, Term>> = {
  $connectiondeviceid: ({ deviceId }) => deviceId,
  $connectionmoduleid: ({ moduleId }) => moduleId,
  $contenttype: ({ contentType }) => contentType,
  $contentencoding: ({ contentEncoding }) => contentEncoding,
  $messageid: ({ messageId }) => messageId,
};

/** A constant, or a property of the message. */
function named(word: string): Term {
  switch (word) {
    case 'true':
    case 'false':
      return constant(word === 'true');
    case 'null':
      return constant(null);
    case 'undefined':
      return constant(undefined);
    default:
      return ({ properties }) => (Object.hasOwn(properties, word) ? properties[word] : undefined);
  }
}

function constant(value: RouteValue): Term {
  return () => value;
}

function unquoted(text: string): string {
  return text
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code: string | undefined, sign: string) =>
      code === undefined ? sign : String.fromCharCode(Number.parseInt(code, 16)),
    );
}

/** A value in the body. The body must be JSON in UTF-8 by its content type and its encoding. */
function inBody(path: string): Term {
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  return ({ body, contentType, contentEncoding }) => {
    if (contentType !== 'application/json' || contentEncoding?.toLowerCase() !== 'utf-8') return undefined;
    let value: JsonValue | undefined = jsonOrUndefined(body.toString('utf8'));
    for (const key of keys) value = Array.isArray(value) ? value[Number(key)] : ownMember(value, key);
    return isObject(value) || Array.isArray(value) ? undefined : (value as RouteValue);
  };
}
