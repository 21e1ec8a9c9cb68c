import type { IncomingHttpHeaders, IncomingMessage, RequestListener } from 'node:http';
import type { LocalErrorCode } from './errors.ts';
import type { Ports } from './options.ts';

/** The addresses of the local stack, which `Host` and `Origin` of a request may name. */
export interface OwnAddresses {
  /** Host names of the local hubs and of DPS, in any case. `localhost`, 127.0.0.1 and [::1] are always allowed. */
  readonly names: readonly string[];
  /** Ports of the stack's other servers, whose pages may call this one. */
  readonly ports?: () => readonly number[];
}

/** The ports of the servers whose pages may call the stack. Azurite is not one: any page can come from its blobs. */
export function pagePorts({ control, functions, rest, https }: Ports): readonly number[] {
  return [control, functions, rest, https];
}

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(?::(\d{0,5}))?$/;
/** A request target with its own host, as a client sends it to a proxy. */
const URL_WITH_SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };
const LONGEST_QUOTE = 100;

/**
 * Lets an HTTP server answer only requests that are meant for the local stack. A browser on this machine can reach
 * the ports of the stack and sends requests of any web page. `Origin` names the page. If the page uses DNS
 * rebinding, `Host` names it. So both must name the stack, for each method and each type of body. All other
 * requests, WebSocket upgrades included, get 403 and a message.
 */
export function ownRequestsOnly(own: OwnAddresses, listener: RequestListener): RequestListener {
  const names = new Set([...LOOPBACK, ...own.names.map((name) => name.toLowerCase())]);
  return (request, response) => {
    // A browser or HTTP client never sends white space in `Host`.
    if (/\s/.test(request.headers.host ?? ''))
      return void response.writeHead(400, { 'content-length': 0 }).end();
    const refusal = refusalOf(request, names, own.ports?.() ?? []);
    if (refusal === undefined) return listener(request, response);
    const code: LocalErrorCode = 'BERTH_LOCAL_REQUEST_FOREIGN';
    const text = `${JSON.stringify({ error: { code, message: refusal, details: [] } })}\n`;
    response
      .writeHead(403, {
        'content-type': 'application/json; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        connection: 'close',
      })
      .end(text);
  };
}

/** The reason to refuse a request; undefined if the request is for the local stack. */
function refusalOf(
  request: IncomingMessage,
  names: ReadonlySet<string>,
  ports: readonly number[],
): string | undefined {
  const { host = [], origin: origins = [] } = request.headersDistinct;
  if (URL_WITH_SCHEME.test(request.url ?? ''))
    return 'The target of the request must be a path, such as /hubs.';
  if (host.length !== 1 || !names.has(parseAuthority(host[0])?.name ?? '')) {
    return `The header Host names ${quoted(host)}, which is not the local stack. Use localhost, 127.0.0.1 or [::1], or the name of a local hub or of the local DPS.`;
  }
  if (origins.length === 0) return foreignFetch(request.method, request.headers);
  const ownPorts = new Set([request.socket.localPort, ...ports]);
  const page = origins.length === 1 ? parseOrigin(origins[0]) : undefined;
  if (page !== undefined && names.has(page.name) && ownPorts.has(page.port)) return undefined;
  return `The header Origin says that the request comes from a web page of ${quoted(origins)}. Only pages of the local stack may call it. From a program, send no Origin.`;
}

/**
 * When a page loads an image or a script, the browser sends no `Origin`. It sends `Sec-Fetch-Site` instead (Fetch
 * Metadata, W3C). A link that a person follows is safe, because the page cannot read the answer.
 */
function foreignFetch(method: string | undefined, headers: IncomingHttpHeaders): string | undefined {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
  const isLink =
    method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (isLink) return undefined;
  return `The header Sec-Fetch-Site (${quoted([site].flat())}) says that the request comes from another web page. Only pages of the local stack may call it.`;
}

function parseOrigin(origin = ''): { readonly name: string; readonly port: number | undefined } | undefined {
  const [, scheme = '', rest] = /^(https?):\/\/(.+)$/.exec(origin) ?? [];
  const authority = parseAuthority(rest);
  return authority && { name: authority.name, port: authority.port ?? DEFAULT_PORTS[scheme] };
}

function parseAuthority(text = ''): { readonly name: string; readonly port: number | undefined } | undefined {
  const [, name, port] = AUTHORITY.exec(text.toLowerCase()) ?? [];
  return name === undefined ? undefined : { name, port: port ? Number(port) : undefined };
}

function quoted(values: readonly string[]): string {
  const text = values.join(', ');
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text);
}
