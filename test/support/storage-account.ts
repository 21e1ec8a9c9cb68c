import { STORAGE_ACCOUNTS } from './run/storage-accounts.ts';

/**
 * Connection string of an empty storage account that no other caller gets, in the Azurite that all suites of a run share.
 * So suites and tests never meet in a table, a lease or a container, whatever names they use, and nothing has to be cleaned
 * up. A suite that kills Azurite starts one of its own with `startAzurite`.
 */
export async function storageAccount(): Promise<string> {
  const url = process.env[STORAGE_ACCOUNTS];
  if (url === undefined) throw new Error(`${STORAGE_ACCOUNTS} is not set: only Jest's global setup sets it`);
  const response = await fetch(url, { method: 'POST' });
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}
