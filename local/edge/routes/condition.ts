import { isObject, type JsonValue, jsonOrUndefined, ownMember } from '../../../src/json/json.ts';
import { type RoutedMessage, RouteError } from './message.ts';

/*
 * Conditions of routes: the properties of a message, `$body.…`, `$connectionModuleId` and other system properties, with
 * AND, OR, NOT and comparisons. Twin conditions do not work on a device (iot-edge-limits-and-restrictions.md).
 */

/** Whether a message meets the condition. A comparison with a missing value is not met. */
export type RouteCondition = (message: RoutedMessage) => boolean;

type Value = string | number | boolean | undefined;
type Term = (message: RoutedMessage) => Value;

const TOKEN =
  /\s*(?:('(?:[^']|'')*'|"[^"]*")|(\d+(?:\.\d+)?)|(\$?[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*)|(<=|>=|<>|!=|==|[=<>()])|(\S))/gy;
const COMPARISONS: ReadonlyMap<
  string,
  (left: string | number | boolean, right: string | number | boolean) => boolean
> = new Map([
  ['=', (left, right) => left === right],
  ['!=', (left, right) => left !== right],
  ['<>', (left, right) => left !== right],
  ['<', (left, right) => left < right],
  ['<=', (left, right) => left <= right],
  ['>', (left, right) => left > right],
  ['>=', (left, right) => left >= right],
]);

/** @throws RouteError for a text that is no condition; `==` is none */
export function parseRouteCondition(text: string): RouteCondition {
  const tokens = [...text.matchAll(TOKEN)].map((match) => match[0].trim());
  const parser = new Parser(text, tokens);
  const term = parser.any();
  parser.end();
  return (message) => term(message) === true;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string, tokens: readonly string[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  /** @throws RouteError if a token is left */
  end(): void {
    const token = this.#tokens[this.#at];
    if (token !== undefined) throw this.#wrong(`unexpected ${token}`);
  }

  any(): Term {
    const terms = [this.#all()];
    while (this.#take('or')) terms.push(this.#all());
    return terms.length === 1 && terms[0] !== undefined
      ? terms[0]
      : (message) => terms.some((term) => term(message) === true);
  }

  #all(): Term {
    const terms = [this.#not()];
    while (this.#take('and')) terms.push(this.#not());
    return terms.length === 1 && terms[0] !== undefined
      ? terms[0]
      : (message) => terms.every((term) => term(message) === true);
  }

  #not(): Term {
    if (!this.#take('not')) return this.#comparison();
    const term = this.#not();
    return (message) => term(message) !== true;
  }

  #comparison(): Term {
    const left = this.#term();
    const compare = COMPARISONS.get(this.#tokens[this.#at] ?? '');
    if (compare === undefined) return left;
    this.#at += 1;
    const right = this.#term();
    return (message) => {
      const [one, other] = [left(message), right(message)];
      return one !== undefined && typeof one === typeof other && compare(one, other as NonNullable<Value>);
    };
  }

  #term(): Term {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw this.#wrong('the condition ends too early');
    this.#at += 1;
    if (token === '(') {
      const inner = this.any();
      if (!this.#take(')')) throw this.#wrong(') is expected');
      return inner;
    }
    if (/^['"]/.test(token)) return constant(token.slice(1, -1).replaceAll("''", "'"));
    if (/^\d/.test(token)) return constant(Number(token));
    if (/^(?:true|false)$/i.test(token)) return constant(token.toLowerCase() === 'true');
    if (/^\$body(?:[.[]|$)/i.test(token)) return inBody(token.slice('$body'.length));
    if (token.startsWith('$')) return this.#systemProperty(token);
    if (!/^[A-Za-z_]/.test(token)) throw this.#wrong(`unexpected ${token}`);
    return ({ properties }) => (Object.hasOwn(properties, token) ? properties[token] : undefined);
  }

  #systemProperty(name: string): Term {
    switch (name.toLowerCase()) {
      case '$connectiondeviceid':
        return ({ deviceId }) => deviceId;
      case '$connectionmoduleid':
        return ({ moduleId }) => moduleId;
      case '$contenttype':
        return ({ contentType }) => contentType;
      case '$contentencoding':
        return ({ contentEncoding }) => contentEncoding;
      case '$messageid':
        return ({ messageId }) => messageId;
      default:
        throw this.#wrong(`unknown property ${name}`);
    }
  }

  #take(word: string): boolean {
    const isNext = this.#tokens[this.#at]?.toLowerCase() === word;
    if (isNext) this.#at += 1;
    return isNext;
  }

  #wrong(reason: string): RouteError {
    return new RouteError(`${reason} in the condition ${this.#text}`);
  }
}

function constant(value: Value): Term {
  return () => value;
}

/** A value in the body. The body must be JSON in UTF-8 by its content type and its encoding. */
function inBody(path: string): Term {
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  return ({ body, contentType, contentEncoding }) => {
    if (contentType !== 'application/json' || contentEncoding?.toLowerCase() !== 'utf-8') return undefined;
    let value: JsonValue | undefined = jsonOrUndefined(body.toString('utf8'));
    for (const key of keys) value = Array.isArray(value) ? value[Number(key)] : ownMember(value, key);
    return value === null || isObject(value) || Array.isArray(value) ? undefined : (value as Value);
  };
}
