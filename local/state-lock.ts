import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from './errors.ts';
import { clearContents, LOCK, PROBE } from './state/contents.ts';
import { errorCode, onState, stateFailure } from './state/failure.ts';
import { markForClearing, markStateFolder, openStateFolder } from './state/folder.ts';

/** Less is used up within the first minute. */
const LEAST_SPACE_BYTES = 1024 * 1024;

export interface LockOptions {
  /** Never used as the state folder, nor any folder that contains them. */
  readonly protectedFolders?: readonly string[];
  /** Called with what a fresh start found in the folder and kept, because Berth did not make it. */
  readonly onKept?: (paths: readonly string[]) => void;
}

/**
 * Takes a state folder for this process, so that two local stacks do not write into the same journals. Creates
 * the folder where it is missing. A lock that a dead process left is taken over.
 *
 * @param fresh forget everything that Berth keeps in it. Nothing else is deleted.
 * @returns gives it back.
 * @throws LocalError `BERTH_LOCAL_STATE_FOREIGN`, `BERTH_LOCAL_STATE_UNUSABLE`, `BERTH_LOCAL_STATE_DAMAGED`,
 *   `BERTH_LOCAL_STATE_FORMAT`, `BERTH_LOCAL_STATE_IN_USE`
 */
export function lockState(
  directory: string,
  fresh: boolean,
  { protectedFolders = [], onKept = () => {} }: LockOptions = {},
): () => void {
  openStateFolder(directory, { fresh, protectedFolders });
  const file = join(directory, LOCK);
  takeLock(directory, file);
  try {
    if (fresh) markForClearing(directory);
    const kept = fresh ? clearContents(directory) : [];
    markStateFolder(directory);
    if (kept.length > 0) onKept(kept);
    checkSpace(directory);
    return () => rmSync(file, { force: true });
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

function takeLock(directory: string, file: string): void {
  const owner = readOwner(file);
  if (owner !== undefined && isAlive(owner)) throw inUse(directory, `by process ${owner}`);
  onState(file, () => rmSync(file, { force: true }));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch (error) {
    // Another one has started at the same moment.
    if (errorCode(error) === 'EEXIST') throw inUse(directory, 'by another process');
    throw stateFailure(error, file);
  }
}

function inUse(directory: string, by: string): LocalError {
  return new LocalError(
    'BERTH_LOCAL_STATE_IN_USE',
    `The state in ${directory} is in use ${by}: end that one, or give another folder with --state.`,
  );
}

/** A full disk, a quota and a read-only folder are found now, and not in the middle of a run. */
function checkSpace(directory: string): void {
  const file = join(directory, PROBE);
  try {
    onState(directory, () => writeFileSync(file, Buffer.alloc(LEAST_SPACE_BYTES)));
  } finally {
    rmSync(file, { force: true });
  }
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
