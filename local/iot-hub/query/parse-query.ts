import { TokenCursor } from './cursor.ts';
import { readExpression, readPath } from './parse-expression.ts';
import type { Aggregate, Collection, Path, Query, QueryColumn, QueryExpression } from './syntax.ts';
import { invalidQuery, tokensOf } from './tokens.ts';

/*
 *   query = SELECT [ TOP number ] ( * | column { , column } ) FROM collection
 *           [ WHERE expression ] [ GROUP BY path { , path } ]
 *   column = ( path | aggregate ) [ AS name ]
 *   aggregate = COUNT ( ) | ( AVG | SUM | MIN | MAX ) ( path )
 */

/** Longest query (query-twins.md, "Twin query limitations"). */
const MAX_QUERY_LENGTH = 8192;

const COLLECTIONS: readonly Collection[] = ['devices', 'devices.modules', 'devices.jobs'];
const AGGREGATES: readonly Aggregate['name'][] = ['count', 'avg', 'sum', 'min', 'max'];

/**
 * Reads a query.
 *
 * @throws HubRefusal `ArgumentInvalid` if the text is not a query of IoT Hub
 */
export function parseQuery(text: string): Query {
  const cursor = cursorOf(text);
  cursor.expect('select');
  const top = cursor.take('top') ? readTop(cursor) : undefined;
  const columns = cursor.take('*') ? undefined : readColumns(cursor);
  const { from, where } = readFromWhere(cursor);
  const groupBy = readGroupBy(cursor).map((path) => localPath(path, from));
  cursor.end();
  const query = { top, columns: columns?.map((column) => localColumn(column, from)), from, where, groupBy };
  checkColumns(query);
  return query;
}

/** The devices or modules that a condition selects. */
export interface Condition {
  readonly from: Exclude<Collection, 'devices.jobs'>;
  /** undefined: all of the collection. */
  readonly where: QueryExpression | undefined;
}

/**
 * Reads the target condition of a configuration or the query condition of a job: `*`, an expression about devices, or
 * `FROM devices.modules WHERE expression` (iot-hub-automatic-device-management.md).
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function parseCondition(text: string): Condition {
  const cursor = cursorOf(text);
  if (cursor.isNext('from')) {
    const { from, where } = readFromWhere(cursor);
    cursor.end();
    if (from === 'devices.jobs') throw invalidQuery('a condition cannot be about devices.jobs');
    return { from, where };
  }
  if (cursor.take('*')) {
    cursor.end();
    return { from: 'devices', where: undefined };
  }
  const where = withoutPrefix(readExpression(cursor), 'devices');
  cursor.end();
  return { from: 'devices', where };
}

function cursorOf(text: string): TokenCursor {
  if (text.length > MAX_QUERY_LENGTH) {
    throw invalidQuery(`the query is longer than ${MAX_QUERY_LENGTH} characters`);
  }
  return new TokenCursor(tokensOf(text));
}

function readTop(cursor: TokenCursor): number {
  const token = cursor.next();
  if (token.kind === 'number' && Number.isInteger(token.value) && token.value > 0) return token.value;
  throw invalidQuery(`TOP ${token.text} is not a positive whole number`);
}

function readColumns(cursor: TokenCursor): readonly QueryColumn[] {
  const columns = cursor.list(readColumn).map(
    // The name of an aggregate without an alias is not documented. Cosmos DB numbers such columns.
    (column, index) => (column.name === '' ? { ...column, name: `$${index + 1}` } : column),
  );
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalidQuery(`two columns have the name ${twice}`);
  return columns;
}

function readColumn(cursor: TokenCursor): QueryColumn {
  const aggregate = readAggregate(cursor);
  if (aggregate !== undefined) return { kind: 'aggregate', aggregate, name: readAlias(cursor) ?? '' };
  const path = readPath(cursor);
  return { kind: 'path', path, name: readAlias(cursor) ?? path.at(-1) ?? '' };
}

function readAlias(cursor: TokenCursor): string | undefined {
  if (!cursor.take('as')) return undefined;
  const token = cursor.next();
  if (token.kind === 'word' || token.kind === 'key' || token.kind === 'text') return token.text;
  throw invalidQuery(`${token.text} is not a name`);
}

function readAggregate(cursor: TokenCursor): Aggregate | undefined {
  const { peek, following } = cursor;
  if (peek?.kind !== 'word' || following?.kind !== 'symbol' || following.text !== '(') return undefined;
  const name = AGGREGATES.find((known) => known === peek.text.toLowerCase());
  if (name === undefined) {
    throw invalidQuery(`SELECT takes properties and ${AGGREGATES.join(', ')}, not ${peek.text.slice(0, 40)}`);
  }
  cursor.next();
  cursor.expect('(');
  if (name === 'count' && !cursor.isNext(')')) throw invalidQuery('COUNT() takes no parameter');
  const aggregate: Aggregate = name === 'count' ? { name } : { name, path: readPath(cursor) };
  cursor.expect(')');
  return aggregate;
}

function readFromWhere(cursor: TokenCursor): { from: Collection; where: QueryExpression | undefined } {
  cursor.expect('from');
  const name = readPath(cursor).join('.');
  const from = COLLECTIONS.find((known) => known === name.toLowerCase());
  if (from === undefined) throw invalidQuery(`unknown collection ${name}. Use ${COLLECTIONS.join(', ')}`);
  const where = cursor.take('where') ? readExpression(cursor) : undefined;
  return { from, where: where && withoutPrefix(where, from) };
}

function readGroupBy(cursor: TokenCursor): readonly Path[] {
  if (!cursor.take('group')) return [];
  cursor.expect('by');
  return cursor.list(readPath);
}

/** The rules for columns (iot-hub-devguide-query-language.md, "GROUP BY clause"; query-jobs.md, "limitations"). */
function checkColumns({ columns, from, groupBy }: Query): void {
  if (from === 'devices.jobs' && (columns !== undefined || groupBy.length > 0)) {
    throw invalidQuery('a query for devices.jobs must be SELECT *, without GROUP BY');
  }
  const isGrouped = groupBy.length > 0 || columns?.some(({ kind }) => kind === 'aggregate') === true;
  if (!isGrouped) return;
  if (columns === undefined) throw invalidQuery('SELECT * cannot be used with GROUP BY');
  const grouped = new Set(groupBy.map((path) => path.join('.').toLowerCase()));
  for (const column of columns) {
    if (column.kind === 'path' && !grouped.has(column.path.join('.').toLowerCase())) {
      throw invalidQuery(`${column.path.join('.')} must be in GROUP BY or in an aggregate`);
    }
  }
}

/** Paths may start with the name of the collection. @example devices.jobs.status → status */
function withoutPrefix(expression: QueryExpression, from: Collection): QueryExpression {
  const inner = (part: QueryExpression) => withoutPrefix(part, from);
  switch (expression.kind) {
    case 'constant':
      return expression;
    case 'path':
      return { kind: 'path', path: localPath(expression.path, from) };
    case 'not':
    case 'negative':
      return { kind: expression.kind, of: inner(expression.of) };
    case 'binary':
      return { ...expression, left: inner(expression.left), right: inner(expression.right) };
    case 'in':
      return { ...expression, of: inner(expression.of), list: expression.list.map(inner) };
    case 'call':
      return { ...expression, parameters: expression.parameters.map(inner) };
  }
}

function localColumn(column: QueryColumn, from: Collection): QueryColumn {
  if (column.kind === 'path') return { ...column, path: localPath(column.path, from) };
  const { aggregate } = column;
  if (aggregate.name === 'count') return column;
  return { ...column, aggregate: { ...aggregate, path: localPath(aggregate.path, from) } };
}

function localPath(path: Path, from: Collection): Path {
  const prefix = from.split('.');
  const hasPrefix = prefix.every((name, index) => path[index]?.toLowerCase() === name);
  return hasPrefix && path.length > prefix.length ? path.slice(prefix.length) : path;
}
