import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Azurite, startAzurite } from '../azurite.ts';

/** Environment variable with the URL of {@link serveStorageAccounts}, for the suites. */
export const STORAGE_ACCOUNTS = 'BERTH_TEST_STORAGE_ACCOUNTS';

/** Azurite reads its accounts only at its start. A run of all suites uses a few hundred. */
const ACCOUNTS = Array.from({ length: 4_000 }, (_, index) => `account${index}`);

export interface StorageAccounts {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Answers each `POST` with the connection string of a new account. Azurite starts with the first request, so a run of
 * suites without storage does not start it.
 */
export async function serveStorageAccounts(): Promise<StorageAccounts> {
  const accounts = ACCOUNTS.values();
  let azurite: Promise<Azurite> | undefined;
  const server = createServer((_, response) => {
    azurite ??= startAzurite(ACCOUNTS);
    azurite
      .then(({ connectionStringOf }) => {
        const { value } = accounts.next();
        if (value === undefined)
          throw new Error(`all ${ACCOUNTS.length} storage accounts of the run are taken`);
        response.end(connectionStringOf(value));
      })
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  // A suite may be busy for longer than the default of five seconds between two accounts.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await (await azurite)?.close();
    },
  };
}
