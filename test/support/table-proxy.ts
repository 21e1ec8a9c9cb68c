import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The result of a call to the tables: it passes, it is cut before it arrives, or its answer is lost. */
export type Fate = 'pass' | 'cut' | 'lost';

/** A proxy before the table service that can fail calls. */
export interface TableProxy {
  readonly connectionString: string;
  /** Called for each call, with method and path, such as `POST`, `/devstoreaccount1/$batch`. */
  fate: (method: string, path: string) => Fate;
  close(): Promise<void>;
}

export async function startTableProxy(connectionString: string): Promise<TableProxy> {
  const target = new URL(/TableEndpoint=([^;]+)/.exec(connectionString)?.[1] ?? '');
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const fate = proxy.fate(method, url);
    if (fate === 'cut') {
      incoming.socket.destroy();
      return;
    }
    const forward = request(
      { host: target.hostname, port: target.port, method, path: url, headers },
      (answer) => {
        if (fate === 'lost') {
          answer.resume().on('end', () => incoming.socket.destroy());
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forward.on('error', () => incoming.socket.destroy());
    incoming.pipe(forward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy: TableProxy = {
    connectionString: connectionString.replace(
      /TableEndpoint=[^;]+/,
      `TableEndpoint=http://127.0.0.1:${port}${target.pathname}`,
    ),
    fate: () => 'pass',
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
