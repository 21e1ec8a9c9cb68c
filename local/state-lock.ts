import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from './errors.ts';

const LOCK = 'lock';

/**
 * Takes a state folder for this process, so that two local stacks do not write into the same journals. A lock
 * that a dead process left is taken over.
 *
 * @param fresh forget everything in it.
 * @returns gives it back.
 * @throws LocalError `BERTH_LOCAL_STATE_IN_USE`
 */
export function lockState(directory: string, fresh: boolean): () => void {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, LOCK);
  const owner = readOwner(file);
  if (owner !== undefined && isAlive(owner)) {
    throw new LocalError(
      'BERTH_LOCAL_STATE_IN_USE',
      `The state in ${directory} is in use by process ${owner}: end that one, or give another folder with --state.`,
    );
  }
  if (fresh) {
    for (const name of readdirSync(directory))
      rmSync(join(directory, name), { recursive: true, force: true });
  }
  writeFileSync(file, String(process.pid));
  return () => rmSync(file, { force: true });
}

function readOwner(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
