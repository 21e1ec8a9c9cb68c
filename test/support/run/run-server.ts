import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of Jest's global setup, which gives all suites of a run one thing that is slow to make. */
export interface RunServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Listens on a free port of this machine.
 *
 * @param end ends what the server has made, after the server.
 */
export async function startRunServer(answer: RequestListener, end: () => unknown): Promise<RunServer> {
  const server = createServer(answer);
  // A suite may be busy for longer than the default of five seconds between two requests.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await end();
    },
  };
}
