import { type JsonObject, type JsonValue, objectOf } from '../../../src/json/json.ts';
import { queriedValue, storedPath } from './evaluate.ts';
import type { Aggregate, Query, QueryColumn, QueryValue } from './syntax.ts';

/** Whether the rows of a query are groups of documents, and not documents. */
export function isGrouped({ columns, groupBy }: Query): boolean {
  return groupBy.length > 0 || columns?.some(({ kind }) => kind === 'aggregate') === true;
}

/** The row of a document: the document, or its columns that are defined. */
export function rowOf({ columns }: Query, document: JsonObject): JsonObject {
  if (columns === undefined) return document;
  return defined(columns.map((column) => [nameIn(column, document), columnValue(column, [document])]));
}

/** The rows of the groups, in the order of the first document of each group. */
export function groupedRows(query: Query, documents: Iterable<JsonObject>): readonly JsonObject[] {
  const { columns = [], groupBy } = query;
  const groups = new Map<string, JsonObject[]>();
  // Without GROUP BY, all documents are one group, even if there are none.
  if (groupBy.length === 0) groups.set('[]', []);
  for (const document of documents) {
    // In JSON text, undefined in an array is null. The hub groups both together.
    const key = JSON.stringify(groupBy.map((path) => queriedValue(document, path)));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [document]);
    else group.push(document);
  }
  return [...groups.values()].map((group) =>
    defined(columns.map((column) => [nameIn(column, group[0]), columnValue(column, group)])),
  );
}

/** A column without an alias has the name of the property, as the document writes it. */
function nameIn(column: QueryColumn, document: JsonObject | undefined): string {
  if (column.kind === 'aggregate' || document === undefined) return column.name;
  const isNamedByPath = column.name === column.path.at(-1);
  return isNamedByPath ? (storedPath(document, column.path).at(-1) ?? column.name) : column.name;
}

function columnValue(column: QueryColumn, group: readonly JsonObject[]): QueryValue {
  if (column.kind === 'aggregate') return aggregateOf(column.aggregate, group);
  const [first] = group;
  return first && queriedValue(first, column.path);
}

/** Values that are not defined do not count. If a value has another type, the aggregate is not defined. */
function aggregateOf(aggregate: Aggregate, group: readonly JsonObject[]): QueryValue {
  if (aggregate.name === 'count') return group.length;
  const values = group.map((document) => queriedValue(document, aggregate.path)).filter(isDefined);
  if (aggregate.name === 'min' || aggregate.name === 'max') return extremeOf(aggregate.name, values);
  if (!values.every(isNumber)) return undefined;
  const sum = values.reduce((total, value) => total + value, 0);
  if (aggregate.name === 'sum') return sum;
  return values.length === 0 ? undefined : sum / values.length;
}

function extremeOf(name: 'min' | 'max', values: readonly JsonValue[]): QueryValue {
  if (!values.every(isNumber) && !values.every((value) => typeof value === 'string')) return undefined;
  return values.reduce<QueryValue>((best, value) => {
    const isBetter = best === undefined || (name === 'min' ? isLess(value, best) : isLess(best, value));
    return isBetter ? value : best;
  }, undefined);
}

function isLess(left: QueryValue, right: QueryValue): boolean {
  return (left as number | string) < (right as number | string);
}

function isDefined(value: QueryValue): value is JsonValue {
  return value !== undefined;
}

function isNumber(value: QueryValue): value is number {
  return typeof value === 'number';
}

function defined(members: readonly (readonly [string, QueryValue])[]): JsonObject {
  return objectOf(members.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
