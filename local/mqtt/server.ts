import { constants } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import type { KeyedCertificate } from '../ca/index.ts';
import { listen } from '../listen.ts';
import { type LocalLog, silent } from '../log.ts';
import { serveConnection } from './connection.ts';
import type { MqttService } from './service.ts';

const HANDSHAKE_TIMEOUT_MS = 30_000;

export interface MqttOptions {
  /** 0 asks for a free port. */
  readonly port: number;
  readonly certificate: KeyedCertificate;
  /** Asked in this order whose client it is. */
  readonly services: readonly MqttService[];
  readonly log?: LocalLog;
}

export interface MqttServer {
  readonly port: number;
  /** Drops every client and stops listening; resolves when all sessions have been told. */
  close(): Promise<void>;
}

/**
 * Serves MQTT 3.1.1 over TLS on one port for all services. It is no broker: what a client publishes goes to
 * its service alone.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startMqtt(options: MqttOptions): Promise<MqttServer> {
  const { certificate, services, log = silent } = options;
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      cert: certificate.certificate,
      key: certificate.key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: true,
      rejectUnauthorized: false, // most devices have no certificate; the services check those of the others
      secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would not show the whole chain again
    },
    (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      serveConnection(socket, services, log);
    },
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const port = await listen(server, options.port, 'MQTT', 'mqtt');
  server.on('error', (error) => log.error(`MQTT: ${error.message}`));

  return {
    port,
    async close() {
      const stopped = new Promise((resolve) => server.close(resolve));
      const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all([stopped, ...closed]);
    },
  };
}
