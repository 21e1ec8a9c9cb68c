import type { JsonObject } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { addressKey, parseAddressKey } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { twinDocument } from './device-document.ts';
import { isSelected, project, type TwinQuery } from './query.ts';

/**
 * Maximum and default number of rows in a page (iot-hub-devguide-query-language.md).
 */
const MAX_PAGE = 100;

export interface QueryPage {
  readonly rows: readonly JsonObject[];
  /** The token for the next page; undefined on the last page. */
  readonly continuation: string | undefined;
}

/**
 * One page of a query, in the order of device and module ids. A continuation token contains the last device or module
 * of the page, so pages stay correct if other devices are created or deleted.
 *
 * @throws HubRefusal `ArgumentInvalid` if the page size or the token is not valid
 */
export function queryPage(
  hub: LocalHub,
  query: TwinQuery,
  page: { readonly size: string | undefined; readonly continuation: string | undefined },
): QueryPage {
  const size = readSize(page.size);
  const after = page.continuation === undefined ? undefined : readToken(page.continuation);
  const rows: JsonObject[] = [];
  let last = '';
  const entries =
    query.from === 'devices'
      ? hub.store.sorted(after)
      : hub.store.sortedModules(after === undefined ? undefined : parseAddressKey(after));
  for (const entry of entries) {
    const twin = twinDocument(entry, hub.connections.presence(entry.identity));
    if (!isSelected(query, twin)) continue;
    if (rows.length === size) return { rows, continuation: Buffer.from(`after:${last}`).toString('base64') };
    rows.push(project(query, twin));
    last = addressKey(entry.identity);
  }
  return { rows, continuation: undefined };
}

function readSize(text: string | undefined): number {
  if (text === undefined) return MAX_PAGE;
  if (!/^-?\d{1,9}$/.test(text))
    throw new HubRefusal('ArgumentInvalid', 'x-ms-max-item-count is not a number');
  const size = Number(text);
  return size < 1 ? MAX_PAGE : Math.min(size, MAX_PAGE);
}

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64').toString();
  if (!text.startsWith('after:'))
    throw new HubRefusal('ArgumentInvalid', 'x-ms-continuation is not a token of this hub');
  return text.slice('after:'.length);
}
