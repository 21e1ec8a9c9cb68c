import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { peerCertificates } from '../ca/index.ts';
import type { ClientStream } from '../client-stream.ts';

/** Larger than the largest frame of AMQP and the largest packet of MQTT. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** A protocol that clients speak in a WebSocket. */
export interface WebSocketRoute {
  /** In any case. @example '/$iothub/websocket' */
  readonly path: string;
  /** The subprotocol, in any case. @example 'mqtt', 'AMQPWSB10' */
  readonly protocol: string;
  /** Serves the client. Its host is the `Host` header. */
  accept(client: ClientStream): void;
}

/** The WebSockets of one HTTP server. */
export interface WebSocketUpgrade {
  /** Whether the request is for a path with a WebSocket. */
  claims(request: IncomingMessage): boolean;
  /**
   * Opens the WebSocket and gives it to its route. A client that offers none of the subprotocols of the path gets 400, and
   * a malformed handshake too.
   */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

export function webSocketUpgrade(routes: readonly WebSocketRoute[]): WebSocketUpgrade {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    // The client gets the name as it has written it.
    handleProtocols: (offered, request) => [...offered].find((name) => routeOf(request, name)) ?? false,
  });
  const routesAt = (request: IncomingMessage) => {
    const path = decoded(request.url?.split('?')[0] ?? '')
      .toLowerCase()
      .replace(/(?<=.)\/$/, '');
    return routes.filter((route) => route.path.toLowerCase() === path);
  };
  const routeOf = (request: IncomingMessage, protocol: string) =>
    routesAt(request).find((route) => route.protocol.toLowerCase() === protocol.toLowerCase());

  return {
    claims: (request) => routesAt(request).length > 0,
    accept(request, socket, head) {
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      if (!offered.some((name) => routeOf(request, name))) {
        const known = routesAt(request).map(({ protocol }) => protocol);
        refuse(socket, `The header Sec-WebSocket-Protocol must contain ${known.join(' or ')}.`);
        return;
      }
      const { socket: tls, headers } = request;
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const stream = createWebSocketStream(webSocket);
        // Otherwise the stream stays open for writing.
        webSocket.once('close', () => stream.destroy());
        routeOf(request, webSocket.protocol)?.accept({
          stream,
          host: headers.host?.toLowerCase().replace(/:\d*$/, ''),
          certificates: () => (tls instanceof TLSSocket ? peerCertificates(tls) : []),
          from: `${tls.remoteAddress}:${tls.remotePort}`,
        });
      });
    },
  };
}

function refuse(socket: Duplex, reason: string): void {
  const text = `${reason}\n`;
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
