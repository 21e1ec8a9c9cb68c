import { constants } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type KeyedCertificate, peerCertificates } from '../ca/index.ts';
import { type OwnAddresses, ownRequestsOnly } from '../foreign-requests.ts';
import { listen } from '../listen.ts';
import { type LocalLog, silent } from '../log.ts';
import { ConnectionDropped, type HttpRequest, type HttpResponse, type HttpService } from './exchange.ts';
import { forward, type PassThrough } from './pass-through.ts';
import { type WebSocketRoute, webSocketUpgrade } from './web-sockets.ts';

/** Larger than the largest request to hubs and DPS: 100 devices with full twins. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 60_000;
/**
 * How long an idle connection stays open. After Node's default of 5 seconds, a client on a busy machine would often send
 * its next request to a connection that closes.
 */
const KEEP_ALIVE_MS = 60_000;

export interface HttpOptions {
  /** 0 selects a free port. */
  readonly port: number;
  /** The first service that claims a request answers it. If it throws, the error is logged, and the answer is 500. */
  readonly services: readonly HttpService[];
  /** Absent: plain http. With TLS, a client may send a certificate. */
  readonly certificate?: KeyedCertificate;
  /** Paths that other servers answer. */
  readonly passThrough?: readonly PassThrough[];
  /** What a client can open as a WebSocket. A request to upgrade for another path is answered like any other request. */
  readonly webSockets?: readonly WebSocketRoute[];
  /** Ports of the stack's other servers; see `OwnAddresses`. */
  readonly ownPorts?: OwnAddresses['ports'];
  readonly log?: LocalLog;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves the hubs and DPS over HTTP, with TLS or without. It refuses requests of other web pages.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const {
    services,
    certificate,
    webSockets = [],
    passThrough = [],
    ownPorts = () => [],
    log = silent,
  } = options;
  const own: OwnAddresses = { names: services.flatMap(({ names }) => names), ports: ownPorts };
  const onRequest = ownRequestsOnly(own, (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    outgoing.on('error', () => outgoing.destroy());
    const other = passThrough.find(({ prefix }) => incoming.url?.startsWith(prefix));
    if (other !== undefined) {
      forward(incoming, outgoing, other);
      return;
    }
    void serve(incoming, outgoing, services, log);
  });
  const server: Server = certificate
    ? createSecureServer(
        {
          cert: certificate.certificate,
          key: certificate.key,
          minVersion: 'TLSv1.2',
          requestCert: true,
          rejectUnauthorized: false, // the services check client certificates
          secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would not contain the whole chain
        },
        onRequest,
      )
    : createServer(onRequest);
  const upgrade = webSocketUpgrade(webSockets);
  /** The sockets of WebSockets. The HTTP server does not end them. */
  const upgraded = new Set<Duplex>();
  const onUpgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer): void => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    socket.on('error', () => socket.destroy()); // Node.js has removed its own listener
    const outgoing = new ServerResponse(incoming);
    outgoing.shouldKeepAlive = false;
    outgoing.assignSocket(socket as Socket);
    outgoing.once('finish', () => socket.end());
    ownRequestsOnly(own, (request, response) => {
      if (upgrade.claims(request)) {
        response.detachSocket(socket as Socket);
        try {
          upgrade.accept(request, socket, head);
        } catch (error) {
          log.error(`A WebSocket failed: ${reasonOf(error)}`);
          socket.destroy();
        }
      } else onRequest(request, response);
    })(incoming, outgoing);
  };
  server.on('upgrade', onUpgrade);
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const what = certificate ? 'HTTPS of the IoT hubs and DPS' : 'the service REST API';
  const port = await listen(server, options.port, what, certificate ? 'https' : 'rest');
  server.on('error', (error) => log.error(`HTTP: ${error.message}`));

  return {
    port,
    close() {
      return new Promise((resolve) => {
        // Then the clients in this process have seen the end of their connections too. Else they could send the next request on one
        // of them, if another server starts on the port at once.
        server.close(() => setImmediate(resolve));
        server.closeAllConnections();
        for (const socket of upgraded) socket.destroy();
      });
    },
  };
}

/** Answers a request. It never rejects: an answer that cannot be sent becomes 500, with a line in the log. */
async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  services: readonly HttpService[],
  log: LocalLog,
): Promise<void> {
  let response: HttpResponse;
  try {
    response = await answer(incoming, services, log);
  } catch {
    outgoing.destroy(); // the client disconnected during its request, or the service gives no answer
    return;
  }
  try {
    send(outgoing, response);
  } catch (error) {
    log.error(`An answer could not be sent: ${reasonOf(error)}`);
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(500, { 'Content-Length': 0 }).end();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown reason';
}

async function answer(
  incoming: IncomingMessage,
  services: readonly HttpService[],
  log: LocalLog,
): Promise<HttpResponse> {
  const body = await readBody(incoming);
  if (body === undefined) return { status: 413, headers: { Connection: 'close' } };
  try {
    const request = readRequest(incoming, body);
    const service = services.find((candidate) => candidate.claims(request));
    return (await service?.answer(request)) ?? { status: 404 };
  } catch (error) {
    if (error instanceof ConnectionDropped) throw error;
    log.error(`A request failed: ${reasonOf(error)}`);
    return { status: 500 };
  }
}

function readRequest(incoming: IncomingMessage, body: Buffer): HttpRequest {
  const { socket, headers, rawHeaders, method = 'GET', url = '/' } = incoming;
  const [path = '', ...query] = url.split('?');
  return {
    method,
    host: (headers.host ?? '').toLowerCase().replace(/:\d*$/, ''),
    path,
    query: new URLSearchParams(query.join('?')),
    headers,
    rawHeaders,
    body,
    certificates: socket instanceof TLSSocket ? peerCertificates(socket) : [],
  };
}

/** The whole body; undefined if it is too large. Rejects if the client disconnects. */
function readBody(incoming: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) chunks.push(chunk);
      else resolve(undefined); // the rest is read and dropped, so that the answer can be sent
    });
    incoming.on('end', () => resolve(Buffer.concat(chunks)));
    incoming.on('error', reject);
  });
}

function send(outgoing: ServerResponse, { status, headers = {}, body, bytes: raw }: HttpResponse): void {
  if (raw !== undefined) {
    outgoing.writeHead(status, { ...headers, 'Content-Length': raw.length }).end(raw);
    return;
  }
  if (body === undefined) {
    outgoing.writeHead(status, { ...headers, ...(status !== 204 && { 'Content-Length': 0 }) }).end();
    return;
  }
  const bytes = Buffer.from(JSON.stringify(body));
  outgoing
    .writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      ...headers,
      'Content-Length': bytes.length,
    })
    .end(bytes);
}
