import { type JsonObject, ownMember } from '../../../src/json/json.ts';
import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import { Refused } from './refused.ts';

/** The largest page; a larger `x-ms-max-item-count` gets pages of this size. DPS does not publish its own. */
const MAX_PAGE = 100;
/** The queries of Microsoft's samples and SDKs: `*`, `SELECT *`, `SELECT * FROM enrollments`. */
const QUERY =
  /^\s*(\*|select\s+\*(\s+from\s+(enrollments|enrollmentGroups|registrations|devices))?)\s*;?\s*$/i;

/** What a query asks for. */
export interface QueriedItems<Item> {
  /** In any order. */
  readonly items: readonly Item[];
  /** The id of an item. Pages are sorted by it. */
  readonly idOf: (item: Item) => string;
  readonly describe: (item: Item) => JsonObject;
  /** The value of `x-ms-item-type`. */
  readonly type: 'Enrollment' | 'EnrollmentGroup' | 'DeviceRegistration';
  /** Whether the body with the query may be missing, as in the specification of registrations. */
  readonly isBodyOptional?: boolean;
}

/**
 * One page of a query. A continuation token holds the last id of its page. So an item that is created or deleted between
 * two pages neither repeats nor hides another.
 *
 * @throws Refused `invalidArgument` for another query, page size or token.
 */
export function pageOfRecords<Item>(request: HttpRequest, asked: QueriedItems<Item>): HttpResponse {
  checkQuery(request, asked.isBodyOptional === true);
  const size = pageSize(headerOf(request, 'x-ms-max-item-count'));
  const token = headerOf(request, 'x-ms-continuation');
  const after = token === undefined ? undefined : readToken(token, asked.type);
  const sorted = asked.items
    .map((item) => ({ item, id: asked.idOf(item).toLowerCase() }))
    .filter(({ id }) => after === undefined || id > after)
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  const page = sorted.slice(0, size);
  const last = page.at(-1);
  return {
    status: 200,
    headers: {
      'x-ms-item-type': asked.type,
      'x-ms-max-item-count': String(size),
      ...(last !== undefined &&
        page.length < sorted.length && { 'x-ms-continuation': writeToken(last.id, asked.type) }),
    },
    body: page.map(({ item }) => asked.describe(item)),
  };
}

function checkQuery(request: HttpRequest, isBodyOptional: boolean): void {
  if (isBodyOptional && request.body.toString('utf8').trim() === '') return;
  const query = ownMember(parseRequestJson(request.body), 'query');
  if (typeof query === 'string' && QUERY.test(query)) return;
  const found = typeof query === 'string' ? `not ${query.slice(0, 100)}` : 'in a body {"query": "SELECT *"}';
  throw new Refused('invalidArgument', `The local DPS supports only the query SELECT *, ${found}.`);
}

function pageSize(text: string | undefined): number {
  if (text === undefined) return MAX_PAGE;
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new Refused(
      'invalidArgument',
      `x-ms-max-item-count must be a number from 1, not ${text.slice(0, 40)}.`,
    );
  return Math.min(Number(text), MAX_PAGE);
}

/** A token is opaque to clients, and valid for the kind of query that returned it. */
function writeToken(id: string, type: string): string {
  return Buffer.from(`${type}/${id}`).toString('base64');
}

function readToken(token: string, type: string): string {
  const text = Buffer.from(token, 'base64').toString('utf8');
  if (!text.startsWith(`${type}/`))
    throw new Refused('invalidArgument', 'x-ms-continuation is not a token of this query.');
  return text.slice(type.length + 1);
}

function headerOf({ headers }: HttpRequest, name: string): string | undefined {
  return headers[name]?.toString() || undefined;
}
