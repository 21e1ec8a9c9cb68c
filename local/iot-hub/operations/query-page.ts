import * as z from 'zod';
import { type JsonObject, jsonOrUndefined } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { addressKey, parseAddressKey } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { isMet } from '../query/evaluate.ts';
import { groupedRows, isGrouped, rowOf } from '../query/select.ts';
import type { Collection, Query } from '../query/syntax.ts';
import { twinDocument } from './device-document.ts';

/**
 * Maximum and default number of rows in a page (iot-hub-devguide-query-language.md).
 */
const MAX_PAGE = 100;

export interface QueryPage {
  readonly rows: readonly JsonObject[];
  /** The token for the next page; undefined on the last page. */
  readonly continuation: string | undefined;
}

/** The page that a client asks for: the texts of its headers. */
export interface PageRequest {
  readonly size: string | undefined;
  readonly continuation: string | undefined;
}

/** Where a page starts: after how many rows of the query, and after which document. */
const TOKEN = z.strictObject({ given: z.int().min(0), after: z.string() });
type Position = z.infer<typeof TOKEN>;

/**
 * One page of a query. Documents are in the order of their ids. A continuation token contains the last document of the
 * page, so pages stay correct if other devices are created or deleted. The rows of groups are computed again for each
 * page.
 *
 * @throws HubRefusal `ArgumentInvalid` if the page size or the token is not valid
 */
export function queryPage(hub: LocalHub, query: Query, page: PageRequest): QueryPage {
  const size = readPageSize(page.size);
  const position = page.continuation === undefined ? { given: 0, after: '' } : readToken(page.continuation);
  const left = (query.top ?? Number.POSITIVE_INFINITY) - position.given;
  return isGrouped(query)
    ? pageOfGroups(hub, query, Math.min(size, left), left, position)
    : pageOfDocuments(hub, query, Math.min(size, left), left, position);
}

function pageOfGroups(
  hub: LocalHub,
  query: Query,
  size: number,
  left: number,
  { given }: Position,
): QueryPage {
  const all = groupedRows(query, selected(hub, query));
  const rows = all.slice(given, given + size);
  const hasMore = all.length > given + rows.length && left > rows.length;
  return { rows, continuation: hasMore ? tokenOf({ given: given + rows.length, after: '' }) : undefined };
}

function* selected(hub: LocalHub, query: Query): Iterable<JsonObject> {
  for (const [, document] of documents(hub, query.from, '')) if (isMet(query.where, document)) yield document;
}

function pageOfDocuments(
  hub: LocalHub,
  query: Query,
  size: number,
  left: number,
  { given, after }: Position,
): QueryPage {
  const rows: JsonObject[] = [];
  let last = after;
  for (const [key, document] of documents(hub, query.from, after)) {
    if (!isMet(query.where, document)) continue;
    if (rows.length === size) {
      const hasMore = left > size;
      return { rows, continuation: hasMore ? tokenOf({ given: given + size, after: last }) : undefined };
    }
    rows.push(rowOf(query, document));
    last = key;
  }
  return { rows, continuation: undefined };
}

/** The number of rows of a query. */
export function countRows(hub: LocalHub, query: Query): number {
  const documents = selected(hub, query);
  const rows = isGrouped(query) ? groupedRows(query, documents).length : [...documents].length;
  return Math.min(rows, query.top ?? rows);
}

/** The documents of a collection after the one with the key `after`, in the order of their keys; '': all of them. */
function* documents(
  hub: LocalHub,
  from: Collection,
  after: string,
): Iterable<readonly [key: string, document: JsonObject]> {
  if (from === 'devices.jobs') {
    for (const [key, device] of hub.jobs.sortedDevices(after)) yield [key, { ...device }];
    return;
  }
  const start = after === '' ? undefined : after;
  const entries =
    from === 'devices'
      ? hub.store.sorted(start)
      : hub.store.sortedModules(start === undefined ? undefined : parseAddressKey(start));
  for (const entry of entries) {
    yield [addressKey(entry.identity), twinDocument(entry, hub.connections.presence(entry.identity))];
  }
}

/**
 * The number of rows that a client asks for; the default for a number below one.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readPageSize(text: string | undefined): number {
  if (text === undefined) return MAX_PAGE;
  if (!/^-?\d{1,9}$/.test(text))
    throw new HubRefusal('ArgumentInvalid', 'x-ms-max-item-count is not a number');
  const size = Number(text);
  return size < 1 ? MAX_PAGE : Math.min(size, MAX_PAGE);
}

function tokenOf(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64');
}

function readToken(token: string): Position {
  const read = TOKEN.safeParse(jsonOrUndefined(Buffer.from(token, 'base64').toString()));
  if (read.success) return read.data;
  throw new HubRefusal('ArgumentInvalid', 'x-ms-continuation is not a token of this hub');
}
