import type { Server } from 'node:net';
import { LocalError } from './errors.ts';

/**
 * Listens on loopback and resolves with the port in use (0 asks for a free one).
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN` when something else listens there.
 */
export function listen(server: Server, port: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new LocalError(
              'BERTH_LOCAL_PORT_TAKEN',
              `Port ${port}, wanted for ${what}, is taken by another program.`,
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
