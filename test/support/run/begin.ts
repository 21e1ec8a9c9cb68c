import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STORAGE_ACCOUNTS, serveStorageAccounts } from './storage-accounts.ts';

declare global {
  /** Cleans up after a run of Jest. Its setup and its teardown share only the global object. */
  var endTestRun: (() => Promise<void>) | undefined;
}

/** Runs before all suites. Creates a temporary folder for the run, and serves storage accounts to the suites. */
export default async function begin(): Promise<void> {
  const before = process.env.TMPDIR;
  const folder = mkdtempSync(join(tmpdir(), 'berth-test-run-'));
  const accounts = await serveStorageAccounts();
  // The processes of the suites and their child processes inherit both variables.
  process.env.TMPDIR = folder;
  process.env[STORAGE_ACCOUNTS] = accounts.url;

  globalThis.endTestRun = async () => {
    await accounts.close();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true, force: true });
  };
}
