import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer, type TLSSocket } from 'node:tls';
import type { KeyedCertificate } from '../ca/index.ts';
import { type ClientStream, clientOfTls } from '../client-stream.ts';
import { listen } from '../listen.ts';
import { type LocalLog, silent } from '../log.ts';
import { type ServedClient, serveClient } from './client.ts';
import type { AmqpService } from './service.ts';

const HANDSHAKE_TIMEOUT_MS = 30_000;

export interface AmqpOptions {
  /** The name of the server in the log and in messages; default `AMQP`. */
  readonly name?: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** The services of the port. For an address that several know, the first one wins. */
  readonly services: readonly AmqpService[];
  /** Absent: plain AMQP. With TLS, a client may send a certificate. */
  readonly certificate?: KeyedCertificate;
  readonly log?: LocalLog;
}

export interface AmqpServer {
  readonly port: number;
  /** Serves a client that is connected in another way, such as by a WebSocket. */
  accept(client: ClientStream): void;
  /** Ends every connection and stops listening. Resolves when all of them are closed. */
  close(): Promise<void>;
}

/**
 * Serves AMQP 1.0 on one port for all services. It is not a broker: a message of a client goes only to its service.
 *
 * @example
 * const server = await startAmqp({ port: 5671, certificate, services: [hubs.amqp, eventHubs.amqp] });
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startAmqp(options: AmqpOptions): Promise<AmqpServer> {
  const { name = 'AMQP', services, certificate, log = silent } = options;
  const clients = new Map<ClientStream, ServedClient>();
  const accept = (client: ClientStream): void => {
    clients.set(client, serveClient(client, { name, services, log }));
    client.stream.once('close', () => clients.delete(client));
  };
  const server = certificate ? secureServer(certificate, accept) : plainServer(accept);
  const port = await listen(server, options.port, name, certificate ? 'amqps' : 'amqp');
  server.on('error', (error) => log.error(`${name}: a connection could not be accepted. ${error.message}`));

  return {
    port,
    accept,
    async close() {
      const stopped = new Promise((resolve) => server.close(resolve));
      const closed = [...clients.keys()].map(
        ({ stream }) => new Promise((resolve) => stream.once('close', resolve)),
      );
      for (const client of clients.values()) client.close();
      await Promise.all([stopped, ...closed]);
    },
  };
}

function secureServer(certificate: KeyedCertificate, accept: (client: ClientStream) => void): Server {
  const server = createSecureServer(
    {
      cert: certificate.certificate,
      key: certificate.key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: true,
      rejectUnauthorized: false, // the services check client certificates
      secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would not contain the whole chain
    },
    (socket: TLSSocket) => {
      socket.setNoDelay(true);
      accept(clientOfTls(socket));
    },
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function plainServer(accept: (client: ClientStream) => void): Server {
  return createServer((socket: Socket) => {
    socket.setNoDelay(true);
    accept({
      stream: socket,
      host: undefined,
      certificates: () => [],
      from: `${socket.remoteAddress}:${socket.remotePort}`,
    });
  });
}
