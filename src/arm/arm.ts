import { isObject, type JsonObject } from '../json/json.ts';
import { unexpectedAnswer } from '../rest/failure.ts';
import { openRestService, type RestEndpoint } from '../rest/service.ts';
import { armErrorOf } from './failure.ts';
import { ArmError, type ArmPort } from './port.ts';

/** A write of a hub is answered at once, and carried out later. */
const DEADLINE_MS = 60_000;

/** Opens Azure Resource Manager. Its SDKs are one large package for each resource provider; Berth needs five calls. */
export function openArm(place: RestEndpoint): ArmPort {
  const { host } = place;
  const service = openRestService(place, DEADLINE_MS);

  async function send(
    method: string,
    path: string,
    { body, etag }: { readonly body?: JsonObject; readonly etag?: string | undefined } = {},
  ): Promise<JsonObject> {
    const headers = {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
      ...(etag !== undefined && { 'if-match': etag }),
    };
    const result = await service.call({ method, path, headers, body });
    if (!result.ok) throw armErrorOf(result.failure);
    const { json } = result.answer;
    // Azure answers some writes with 202 and no body.
    if (json === undefined && method === 'PUT') return {};
    if (!isObject(json)) throw armErrorOf(unexpectedAnswer(host, method));
    return json;
  }

  return {
    async get(path, apiVersion) {
      try {
        return await send('GET', at(path, apiVersion));
      } catch (error) {
        if (error instanceof ArmError && error.code === 'BERTH_AZURE_NOT_FOUND') return undefined;
        throw error;
      }
    },
    async list(path, apiVersion, query = '') {
      const items: JsonObject[] = [];
      let next: string | undefined = `${at(path, apiVersion)}${query === '' ? '' : `&${query}`}`;
      while (next !== undefined) {
        const page: JsonObject = await send('GET', next);
        if (!Array.isArray(page.value)) throw armErrorOf(unexpectedAnswer(host, 'GET'));
        items.push(...page.value.filter(isObject));
        next = pathOf(page.nextLink, host);
      }
      return items;
    },
    put: (path, apiVersion, body, etag) => send('PUT', at(path, apiVersion), { body, etag }),
    post: (path, apiVersion) => send('POST', at(path, apiVersion)),
    close: () => service.close(),
  };
}

function at(path: string, apiVersion: string): string {
  return `${encodeURI(path)}?api-version=${apiVersion}`;
}

/** The path of the next page. A link to another host would get Berth's token, so it is refused. */
function pathOf(link: unknown, host: string): string | undefined {
  if (typeof link !== 'string' || link === '') return undefined;
  const url = URL.canParse(link) ? new URL(link) : undefined;
  if (url?.hostname !== host) throw armErrorOf(unexpectedAnswer(host, 'GET'));
  return `${url.pathname}${url.search}`;
}
