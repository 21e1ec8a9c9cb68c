import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STORAGE_ACCOUNTS, serveStorageAccounts } from './storage-accounts.ts';

declare global {
  /** Ends what a run of Jest has begun. Its setup and its teardown share nothing but the global object. */
  var endTestRun: (() => Promise<void>) | undefined;
}

/** Runs before all suites: gives the run a temporary folder of its own and the storage accounts that suites take. */
export default async function begin(): Promise<void> {
  const before = process.env.TMPDIR;
  const folder = mkdtempSync(join(tmpdir(), 'berth-test-run-'));
  const accounts = await serveStorageAccounts();
  // The suites' processes, and what they start, inherit both.
  process.env.TMPDIR = folder;
  process.env[STORAGE_ACCOUNTS] = accounts.url;

  globalThis.endTestRun = async () => {
    await accounts.close();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true, force: true });
  };
}
