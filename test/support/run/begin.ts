import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BICEP_COMPILER, serveBicepCompiler } from './bicep-compiler.ts';
import { BUNDLES, serveBundles } from './bundles.ts';
import { STORAGE_ACCOUNTS, serveStorageAccounts } from './storage-accounts.ts';

declare global {
  /** Cleans up after a run of Jest. Its setup and its teardown share only the global object. */
  var endTestRun: (() => Promise<void>) | undefined;
}

/**
 * Runs before all suites. Creates a temporary folder for the run, and serves storage accounts, the Bicep compiler and the
 * bundles to the suites.
 */
export default async function begin(): Promise<void> {
  const before = process.env.TMPDIR;
  const folder = mkdtempSync(join(tmpdir(), 'berth-test-run-'));
  const accounts = await serveStorageAccounts();
  const compiler = await serveBicepCompiler();
  const bundles = await serveBundles();
  // The processes of the suites and their child processes inherit these variables.
  process.env.TMPDIR = folder;
  process.env[STORAGE_ACCOUNTS] = accounts.url;
  process.env[BICEP_COMPILER] = compiler.url;
  process.env[BUNDLES] = bundles.url;

  globalThis.endTestRun = async () => {
    await accounts.close();
    await compiler.close();
    await bundles.close();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true, force: true });
  };
}
