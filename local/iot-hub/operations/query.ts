import { type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { HubRefusal } from '../model/hub-error.ts';

/*
 * The part of IoT Hub's query language that a reconciler uses (iot-hub-devguide-query-language.md):
 * SELECT * | path [AS name], …  FROM devices | devices.modules  [WHERE condition AND …]
 * where a condition is: path = literal | path IN [literal, …]
 */

type Path = readonly string[];
type Literal = string | number | boolean;
type Operator = '=' | '!=' | '<>' | '<' | '<=' | '>' | '>=';

type Condition =
  | { readonly path: Path; readonly operator: Operator; readonly literal: Literal }
  | { readonly path: Path; readonly operator: 'in'; readonly literals: readonly Literal[] };

export interface TwinQuery {
  /** undefined: whole twins (`*`). */
  readonly columns: readonly { readonly path: Path; readonly name: string }[] | undefined;
  readonly from: 'devices' | 'devices.modules';
  readonly conditions: readonly Condition[];
}

/** Longest query text (azure-iot-sdk-csharp#1680: about 8,200 characters). */
const MAX_QUERY_LENGTH = 8192;
const TOKEN =
  /\s*(?:('(?:[^'\\]|\\.|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_$][\w$]*(?:\.[\w$-]+|\.?\[\[[^\]]+\]\])*)|(<=|>=|<>|!=|[=<>,*])|(\S))/gy;
const OPERATORS: readonly string[] = ['=', '!=', '<>', '<', '<=', '>', '>='];

/**
 * Reads a query.
 *
 * @throws HubRefusal `ArgumentInvalid` if the text is not in the part of the language that the local hub supports
 */
export function parseQuery(text: string): TwinQuery {
  if (text.length > MAX_QUERY_LENGTH)
    throw invalid(`the query is longer than ${MAX_QUERY_LENGTH} characters`);
  const tokens = [...text.matchAll(TOKEN)].map((match) => match[0].trim());
  const cursor = new Cursor(tokens);
  cursor.keyword('select');
  const columns = cursor.take('*') ? undefined : cursor.list(readColumn);
  cursor.keyword('from');
  const from = cursor.next().toLowerCase();
  if (from !== 'devices' && from !== 'devices.modules')
    throw invalid(`the local hub does not support FROM ${from}`);
  const conditions = cursor.take('where') ? readConditions(cursor) : [];
  if (!cursor.isDone) throw invalid(`unexpected ${cursor.next()}`);
  return { columns, from, conditions };
}

function readColumn(cursor: Cursor): { path: Path; name: string } {
  const path = cursor.path();
  const name = cursor.take('as') ? cursor.next() : path.at(-1);
  return { path, name: name ?? '' };
}

function readConditions(cursor: Cursor): Condition[] {
  const conditions: Condition[] = [];
  do {
    conditions.push(readCondition(cursor));
  } while (cursor.take('and'));
  return conditions;
}

function readCondition(cursor: Cursor): Condition {
  const path = cursor.path();
  if (cursor.take('in')) {
    cursor.keyword('[');
    const literals = cursor.list(readLiteral);
    cursor.keyword(']');
    return { path, operator: 'in', literals };
  }
  const operator = cursor.next();
  if (!isOperator(operator)) throw invalid(`unexpected ${operator}`);
  return { path, operator, literal: readLiteral(cursor) };
}

function isOperator(token: string): token is Operator {
  return OPERATORS.includes(token);
}

function readLiteral(cursor: Cursor): Literal {
  const token = cursor.next();
  if (token.startsWith("'")) return token.slice(1, -1).replace(/\\(.)|'(')/g, '$1$2');
  if (/^-?\d/.test(token)) return Number(token);
  if (/^(?:true|false)$/i.test(token)) return token.toLowerCase() === 'true';
  throw invalid(`${token} is not a value to compare with`);
}

/** Whether a twin, in the form of the service API, meets all conditions. Only primitive values can match. */
export function isSelected(query: TwinQuery, twin: JsonObject): boolean {
  return query.conditions.every((condition) => {
    const value = valueAt(twin, condition.path);
    if (condition.operator === 'in') return condition.literals.some((literal) => value === literal);
    const { operator, literal } = condition;
    return typeof value === typeof literal && compares(value as Literal, operator, literal);
  });
}

function compares(value: Literal, operator: Operator, literal: Literal): boolean {
  switch (operator) {
    case '=':
      return value === literal;
    case '!=':
    case '<>':
      return value !== literal;
    case '<':
      return value < literal;
    case '<=':
      return value <= literal;
    case '>':
      return value > literal;
    case '>=':
      return value >= literal;
  }
}

/** A row of the result: the whole twin, or its existing columns. */
export function project(query: TwinQuery, twin: JsonObject): JsonObject {
  if (query.columns === undefined) return twin;
  const row: [string, JsonValue][] = [];
  for (const { path, name } of query.columns) {
    const value = valueAt(twin, path);
    if (value !== undefined) row.push([name, value]);
  }
  return Object.fromEntries(row);
}

function valueAt(twin: JsonObject, path: Path): JsonValue | undefined {
  let value: JsonValue | undefined = twin;
  for (const key of path) value = ownMember(value, key);
  return value;
}

class Cursor {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get isDone(): boolean {
    return this.#at >= this.#tokens.length;
  }

  next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw invalid('the query ends too early');
    this.#at += 1;
    return token;
  }

  /** Reads the next token if it is `token`, which is in lower case. Returns whether it is. */
  take(token: string): boolean {
    const isNext = this.#tokens[this.#at]?.toLowerCase() === token;
    if (isNext) this.#at += 1;
    return isNext;
  }

  keyword(word: string): void {
    if (!this.take(word)) throw invalid(`${word.toUpperCase()} is expected`);
  }

  /** @example 'tags.site' → ['tags', 'site']; 'c.tags.site' is not supported */
  path(): Path {
    const token = this.next();
    if (!/^[A-Za-z_$]/.test(token)) throw invalid(`${token} is not a property`);
    return token.replace(/\.?\[\[([^\]]+)\]\]/g, '.$1').split('.');
  }

  list<Item>(read: (cursor: Cursor) => Item): Item[] {
    const items = [read(this)];
    while (this.take(',')) items.push(read(this));
    return items;
  }
}

function invalid(reason: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', `BadRequest: ${reason}`);
}
