import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type OwnAddresses, ownRequestsOnly } from '../../foreign-requests.ts';
import type { LocalLog } from '../../log.ts';
import type { Invoker } from '../invocation.ts';
import { type Admin, answerAdmin } from './admin.ts';
import { type FunctionKeys, isAuthorized } from './keys.ts';
import {
  bodyLength,
  MAX_BODY_BYTES,
  readBody,
  toRpcHttp,
  writeFunctionResponse,
  writeStatus,
} from './message.ts';
import type { RouteValues } from './route-template.ts';
import { findRoute, type HttpRoute } from './routes.ts';
import { forwardRequest, streamMetadata } from './stream.ts';

/** The routes and functions of a loaded app. */
export interface Site {
  readonly routes: readonly HttpRoute[];
  readonly keys: FunctionKeys;
  readonly invoker: Invoker;
  readonly admin: Admin;
  /** URL at which the library accepts requests; undefined unless the app enabled HTTP streams. */
  readonly streamUri: string | undefined;
  /** Names of disabled functions. They answer 404 to every request without the master key. */
  readonly disabled: ReadonlySet<string>;
}

/** Interval at which a closing server closes idle connections. */
const SWEEP_INTERVAL_MS = 20;

/** An HTTP server. Its requests wait until `open` sets the site. */
export interface SiteServer {
  readonly server: Server;
  open(site: Site): void;
}

export function createSiteServer(own: OwnAddresses, log: LocalLog): SiteServer {
  let open: (site: Site) => void = () => {};
  const opened = new Promise<Site>((resolve) => {
    open = resolve;
  });
  const listener: RequestListener = (request, response) => {
    // A client may disconnect at any time. Without this listener, the error would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    opened
      .then((site) => answer(request, response, site, log))
      .catch((error: unknown) => {
        if (!request.destroyed) log.error(`${request.method} ${request.url?.split('?')[0]} failed: ${error}`);
        if (response.headersSent) response.destroy();
        else writeStatus(response, 500);
      });
  };
  return { server: createServer(ownRequestsOnly(own, listener)), open };
}

/**
 * Accepts no new requests and resolves when the last request is answered. When `giveUp` is aborted, it disconnects
 * the remaining requests.
 */
export async function closeServer(server: Server, giveUp: AbortSignal): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  // A client that keeps its connection open after the last answer would keep the server open.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_INTERVAL_MS);
  giveUp.addEventListener('abort', () => server.closeAllConnections());
  await closed;
  clearInterval(sweep);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  site: Site,
  log: LocalLog,
): Promise<void> {
  const url = requestUrl(request);
  if (url === undefined) return writeStatus(response, 400);
  if (bodyLength(request) > MAX_BODY_BYTES) return writeStatus(response, 413);
  const method = request.method ?? 'GET';
  if (/^\/admin(\/|$)/i.test(url.pathname)) {
    return answerAdmin(request, response, url, site.admin, isAuthorized(request, url, 'admin', site.keys));
  }
  const found = findRoute(site.routes, method, url.pathname);
  if (found === undefined) {
    if (url.pathname === '/' && method === 'GET') return writeHomepage(response);
    return writeStatus(response, 404);
  }
  const { route, values } = found;
  if (!isAuthorized(request, url, route.authLevel, site.keys)) return writeStatus(response, 401);
  if (site.disabled.has(route.fn.name) && !isAuthorized(request, url, 'admin', site.keys)) {
    return writeStatus(response, 404);
  }
  if (site.streamUri !== undefined) {
    return answerByStream(request, response, url, site, site.streamUri, route, values, log);
  }
  const body = await readBody(request);
  const result = await site.invoker.invoke(route.fn, {
    data: toRpcHttp(request, url, values, body),
    traceParent: request.headers.traceparent?.toString(),
  });
  if (result.ok) writeFunctionResponse(response, result.response);
  else writeStatus(response, 500);
}

async function answerByStream(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  site: Site,
  streamUri: string,
  { fn }: HttpRoute,
  values: RouteValues,
  log: LocalLog,
): Promise<void> {
  const id = randomUUID();
  const forwarded = forwardRequest(request, response, url, streamUri, id);
  const result = await site.invoker.invoke(fn, {
    id,
    data: { http: {} },
    triggerMetadata: streamMetadata(request, values),
    traceParent: request.headers.traceparent?.toString(),
  });
  if (result.ok && (await forwarded.answered())) return;
  if (result.ok) {
    log.error(`${fn.name} returned no response. With HTTP streams, the client waits forever in Azure.`);
  }
  forwarded.abort();
  if (response.headersSent) response.destroy();
  else writeStatus(response, 500);
}

/** Undefined if the target is not a path (`*`, an absolute URL) or the `Host` is not valid. */
function requestUrl(request: IncomingMessage): URL | undefined {
  if (!request.url?.startsWith('/')) return undefined;
  try {
    return new URL(`http://${request.headers.host ?? 'localhost'}${request.url}`);
  } catch {
    return undefined;
  }
}

function writeHomepage(response: ServerResponse): void {
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end('<!DOCTYPE html><title>Functions</title><p>Your function app is up and running.</p>\n');
}
