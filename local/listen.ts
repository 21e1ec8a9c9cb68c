import { createServer, type Server } from 'node:net';
import { LocalError } from './errors.ts';
import type { Ports } from './options.ts';

/**
 * Listens on loopback and resolves with the port in use (0 selects a free one).
 *
 * @param name the port as `--port` takes it, if the operator can choose it.
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN` if another program listens on the port.
 */
export function listen(server: Server, port: number, what: string, name?: keyof Ports): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new LocalError(
              'BERTH_LOCAL_PORT_TAKEN',
              `Port ${port} for ${what} is in use by another program.${remedy(port, name)}`,
              { cause: error },
            )
          : error,
      );
    };
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', failed);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/**
 * Checks that a port is free for a process that starts later, and returns it. For 0, it returns a free port.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function reservePort(port: number, what: string, name?: keyof Ports): Promise<number> {
  const server = createServer();
  const free = await listen(server, port, what, name);
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function remedy(port: number, name: keyof Ports | undefined): string {
  if (name === undefined) return '';
  const other = port < 65_535 ? port + 1 : port - 1;
  return ` End that program, use another port (npm start -- --port ${name}=${other}), or use free ports for everything (npm start -- --free-ports).`;
}
