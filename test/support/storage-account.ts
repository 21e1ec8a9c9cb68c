import { STORAGE_ACCOUNTS } from './run/storage-accounts.ts';

/**
 * Connection string of a new, empty storage account in the Azurite that all suites of a run share. No other caller gets
 * the same account, so suites and tests can use the same names, and nothing has to be cleaned up. A suite that kills
 * Azurite starts its own with `startAzurite`.
 */
export async function storageAccount(): Promise<string> {
  const url = process.env[STORAGE_ACCOUNTS];
  if (url === undefined) throw new Error(`${STORAGE_ACCOUNTS} is not set: only Jest's global setup sets it`);
  const response = await fetch(url, { method: 'POST' });
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}
