import type { IncomingHttpHeaders, IncomingMessage, RequestListener } from 'node:http';
import type { LocalErrorCode } from './errors.ts';
import type { Ports } from './options.ts';

/** Where the local stack is: what `Host` and `Origin` of a request may name. */
export interface OwnAddresses {
  /** Host names of the local hubs and of DPS, in any case. `localhost`, 127.0.0.1 and [::1] need not be among them. */
  readonly names: readonly string[];
  /** Ports of the stack's other servers, whose pages may call this one. */
  readonly ports?: () => readonly number[];
}

/** The ports of the stack whose servers may show pages. Azurite's are not among them: its blobs are not the stack's. */
export function pagePorts({ control, functions, rest, https }: Ports): readonly number[] {
  return [control, functions, rest, https];
}

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(?::(\d{0,5}))?$/;
/** A target that names a host of its own, as for a proxy. */
const URL_WITH_SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };
const LONGEST_QUOTE = 100;

/**
 * Lets an HTTP server answer only requests that are meant for the local stack. A browser on this machine
 * reaches its ports too, and carries requests of any page: the page shows in `Origin`, and where its own name
 * has been made to lead to this machine (DNS rebinding), in `Host`. So neither may be foreign, whatever the
 * method and the type of the body. Refused requests, among them those that ask for a WebSocket, get 403 and a
 * sentence.
 */
export function ownRequestsOnly(own: OwnAddresses, listener: RequestListener): RequestListener {
  const names = new Set([...LOOPBACK, ...own.names.map((name) => name.toLowerCase())]);
  return (request, response) => {
    // No browser and no HTTP client sends this.
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

/** Why a request is not for the local stack; undefined where it is. */
function refusalOf(
  request: IncomingMessage,
  names: ReadonlySet<string>,
  ports: readonly number[],
): string | undefined {
  const { host = [], origin: origins = [] } = request.headersDistinct;
  if (URL_WITH_SCHEME.test(request.url ?? ''))
    return 'The target of the request must be a path, such as /hubs.';
  if (host.length !== 1 || !names.has(parseAuthority(host[0])?.name ?? '')) {
    return `The local stack is not ${quoted(host)}, which the header Host names. Use localhost, 127.0.0.1 or [::1], or the name of a local hub or of the local DPS.`;
  }
  if (origins.length === 0) return foreignFetch(request.method, request.headers);
  const ownPorts = new Set([request.socket.localPort, ...ports]);
  const page = origins.length === 1 ? parseOrigin(origins[0]) : undefined;
  if (page !== undefined && names.has(page.name) && ownPorts.has(page.port)) return undefined;
  return `The request comes from a web page of ${quoted(origins)}, which the header Origin names. Only pages of the local stack may call it; a program sends no Origin.`;
}

/**
 * Where a page asks for an image or a script, the browser sends no `Origin` but says whose page it is
 * (Fetch Metadata, W3C). A link that a person follows is no harm: the page cannot read what it shows.
 */
function foreignFetch(method: string | undefined, headers: IncomingHttpHeaders): string | undefined {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
  const isLink =
    method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (isLink) return undefined;
  return `The request comes from another web page, as the header Sec-Fetch-Site (${quoted([site].flat())}) says. Only pages of the local stack may call it.`;
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
