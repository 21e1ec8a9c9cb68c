import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder for one test or one suite. It lies in the folder of the run, which is removed when the run ends, so there is
 * nothing to clean up. The name says in a failure report what it was for.
 */
export function temporaryFolder(name: string): string {
  return mkdtempSync(join(realpathSync(tmpdir()), `berth-${name}-`));
}
