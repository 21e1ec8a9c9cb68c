import { type Azurite, startAzurite } from '../azurite.ts';
import { type RunServer, startRunServer } from './run-server.ts';

/** Environment variable with the URL of {@link serveStorageAccounts}, for the suites. */
export const STORAGE_ACCOUNTS = 'BERTH_TEST_STORAGE_ACCOUNTS';

/** Azurite reads its accounts only at its start. A run of all suites uses a few hundred. */
const ACCOUNTS = Array.from({ length: 4_000 }, (_, index) => `account${index}`);

/**
 * Answers each `POST` with the connection string of a new account. Azurite starts with the first request, so a run of
 * suites without storage does not start it.
 */
export async function serveStorageAccounts(): Promise<RunServer> {
  const accounts = ACCOUNTS.values();
  let azurite: Promise<Azurite> | undefined;
  return startRunServer(
    (_, response) => {
      azurite ??= startAzurite(ACCOUNTS);
      azurite
        .then(({ connectionStringOf }) => {
          const { value } = accounts.next();
          if (value === undefined)
            throw new Error(`all ${ACCOUNTS.length} storage accounts of the run are taken`);
          response.end(connectionStringOf(value));
        })
        .catch((error: unknown) => response.writeHead(500).end(String(error)));
    },
    async () => (await azurite)?.close(),
  );
}
