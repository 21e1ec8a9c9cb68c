import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder for one test or one suite. It is in the folder of the run, which is removed when the run ends. The name
 * shows its purpose in a failure report.
 */
export function temporaryFolder(name: string): string {
  return mkdtempSync(join(realpathSync(tmpdir()), `berth-${name}-`));
}
