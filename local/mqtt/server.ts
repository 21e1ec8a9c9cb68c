import { constants } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { createServer } from 'node:tls';
import type { KeyedCertificate } from '../ca/index.ts';
import { type ClientStream, clientOfTls } from '../client-stream.ts';
import { listen } from '../listen.ts';
import { type LocalLog, silent } from '../log.ts';
import { serveConnection } from './connection.ts';
import type { MqttService } from './service.ts';

const HANDSHAKE_TIMEOUT_MS = 30_000;

export interface MqttOptions {
  /** 0 selects a free port. */
  readonly port: number;
  readonly certificate: KeyedCertificate;
  /** The first service that claims a user name serves the client. */
  readonly services: readonly MqttService[];
  readonly log?: LocalLog;
}

export interface MqttServer {
  readonly port: number;
  /** Serves a client that is connected in another way, such as by a WebSocket. */
  accept(client: ClientStream): void;
  /** Drops every client and stops listening. Resolves when all sessions are closed. */
  close(): Promise<void>;
}

/**
 * Serves MQTT 3.1.1 over TLS on one port for all services. It is not a broker: a message of a client goes only to
 * its service.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startMqtt(options: MqttOptions): Promise<MqttServer> {
  const { certificate, services, log = silent } = options;
  const streams = new Set<Duplex>();
  const accept = (client: ClientStream): void => {
    const { stream } = client;
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
    serveConnection(client, services, log);
  };
  const server = createServer(
    {
      cert: certificate.certificate,
      key: certificate.key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: true,
      rejectUnauthorized: false, // most devices have no certificate; the services check the others
      secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would not contain the whole chain
    },
    (socket) => accept(clientOfTls(socket)),
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const port = await listen(server, options.port, 'MQTT', 'mqtt');
  server.on('error', (error) => log.error(`MQTT: ${error.message}`));

  return {
    port,
    accept,
    async close() {
      const stopped = new Promise((resolve) => server.close(resolve));
      const closed = [...streams].map((stream) => new Promise((resolve) => stream.once('close', resolve)));
      for (const stream of streams) stream.destroy();
      await Promise.all([stopped, ...closed]);
    },
  };
}
