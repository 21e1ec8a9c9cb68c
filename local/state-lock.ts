import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from './errors.ts';
import { clearContents, LOCK, PROBE } from './state/contents.ts';
import { errorCode, onState, stateFailure } from './state/failure.ts';
import { markForClearing, markStateFolder, openStateFolder } from './state/folder.ts';

/** The stack uses more than this within the first minute. */
const LEAST_SPACE_BYTES = 1024 * 1024;

export interface LockOptions {
  /** These folders, and folders that contain them, are never used as the state folder. */
  readonly protectedFolders?: readonly string[];
  /** Called with the paths that `fresh` did not delete because Berth did not make them. */
  readonly onKept?: (paths: readonly string[]) => void;
}

/**
 * Locks a state folder for this process, so that two local stacks do not write into the same journals. Creates
 * a missing folder. Takes over the lock of a process that no longer runs.
 *
 * @param fresh delete everything that Berth made in the folder, and nothing else.
 * @returns a function that releases the lock.
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
    // Another stack started at the same moment.
    if (errorCode(error) === 'EEXIST') throw inUse(directory, 'by another process');
    throw stateFailure(error, file);
  }
}

function inUse(directory: string, by: string): LocalError {
  return new LocalError(
    'BERTH_LOCAL_STATE_IN_USE',
    `The state folder ${directory} is in use ${by}. End that process, or give another folder with --state.`,
  );
}

/** Finds a full disk, a used-up quota or a read-only folder at the start and not during the run. */
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
