import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, parse, relative, resolve, sep } from 'node:path';
import { isObject } from '../../src/json/json.ts';
import { LocalError } from '../errors.ts';
import { type Content, contentsOf, holdsNoState, isEarlierState, STATE_MARKER } from './contents.ts';
import { errorCode, onState, stateFailure } from './failure.ts';

/** Format of everything in the folder, with the tables in Azurite. Increase it when a stored file or row changes. */
const FORMAT = 2;
const MARK = {
  berth: 'state',
  format: FORMAT,
  note: 'The local stack of Berth stores its state in this folder. `npm start -- --fresh` deletes what it made here.',
};

/**
 * Checks that a folder can hold the state: it is new, empty, or made by Berth with the format of this version. Creates
 * a missing folder and its parents. The caller marks the folder when it has the lock.
 *
 * @param options.fresh the state will be deleted, so it may have another format.
 * @param options.protectedFolders these folders, and folders that contain them, are refused.
 * @throws LocalError `BERTH_LOCAL_STATE_FOREIGN`, `BERTH_LOCAL_STATE_UNUSABLE`, `BERTH_LOCAL_STATE_DAMAGED`,
 *   `BERTH_LOCAL_STATE_FORMAT`
 */
export function openStateFolder(
  directory: string,
  { fresh, protectedFolders }: { readonly fresh: boolean; readonly protectedFolders: readonly string[] },
): void {
  if (directory.trim() === '') throw foreign('An empty path', 'names no folder');
  const path = resolve(directory);
  createFolder(path);
  const real = onState(path, () => realpathSync.native(path));
  checkProtected(path, real, protectedFolders);

  const contents = contentsOf(real);
  const marked = markerIn(real);
  const isEmpty = holdsNoState(contents);
  if (marked === undefined && !isEmpty && !isEarlierState(contents)) {
    const first = contents.find(({ path: each, expected }) => expected === undefined && !each.includes('/'));
    const what = first === undefined ? 'is not empty' : `contains "${first.path}"`;
    throw foreign(path, `${what} and has no ${STATE_MARKER}, the mark of Berth`);
  }
  checkKinds(path, contents);
  if (!fresh && !isEmpty && marked?.format !== FORMAT) throw otherFormat(path, marked?.format);
}

/** Marks the folder as made by Berth, with the format of this version. */
export function markStateFolder(directory: string): void {
  if (markerIn(directory)?.format !== FORMAT) mark(directory, FORMAT);
}

/** Marks the folder as made by Berth, with content that no version can use, because it is being deleted. */
export function markForClearing(directory: string): void {
  mark(directory, BEING_CLEARED);
}

const BEING_CLEARED = 0;

function otherFormat(path: string, format: unknown): LocalError {
  const number = typeof format === 'number' ? `format ${format}` : 'no format number';
  const found = format === BEING_CLEARED ? 'a part of it has been deleted' : number;
  return new LocalError(
    'BERTH_LOCAL_STATE_FORMAT',
    `${path} holds the state of another version of Berth (${found}, this version needs format ${FORMAT}): delete that state with npm start -- --fresh, or give another folder with --state.`,
  );
}

/**
 * Creates a folder and its missing parents one by one. `mkdirSync` with `recursive` never returns if a parent
 * cannot be created, as in `/proc` (seen with Node.js 20).
 */
function createFolder(path: string): void {
  const missing: string[] = [];
  for (let at = path; !isFolder(at); at = dirname(at)) missing.unshift(at);
  for (const each of missing) {
    try {
      mkdirSync(each);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST' || !isFolder(each)) throw stateFailure(error, each);
    }
  }
}

/** False if nothing exists there. @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE` for a file. */
function isFolder(path: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true;
  } catch (error) {
    // ENOTDIR: a parent is a file. The check of that parent reports it.
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return false;
    throw stateFailure(error, path);
  }
  throw new LocalError(
    'BERTH_LOCAL_STATE_UNUSABLE',
    `${path} is not a folder. Give a folder with --state, or leave out --state to use .berth.`,
  );
}

function checkProtected(path: string, real: string, protectedFolders: readonly string[]): void {
  if (real === parse(real).root) throw foreign(path, 'is the root of a file system');
  for (const [name, folder] of [
    ['your home folder', homeFolder()] as const,
    ...protectedFolders.map((each) => ['the project', each] as const),
    ['the working directory', process.cwd()] as const,
  ]) {
    const inside = folder === undefined ? undefined : realPathOf(folder);
    if (inside === undefined || !contains(real, inside)) continue;
    throw foreign(path, `${inside === real ? 'is' : 'contains'} ${name}`);
  }
}

function contains(folder: string, inside: string): boolean {
  const path = relative(folder, inside);
  return path !== '..' && !path.startsWith(`..${sep}`) && parse(path).root === '';
}

function homeFolder(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined; // a user without one
  }
}

function realPathOf(folder: string): string | undefined {
  try {
    return realpathSync.native(folder);
  } catch {
    return undefined;
  }
}

function foreign(path: string, what: string): LocalError {
  return new LocalError(
    'BERTH_LOCAL_STATE_FOREIGN',
    `${path} ${what}, so it cannot hold the state. Berth changed nothing in it. Give a new or empty folder with --state, or leave out --state to use .berth.`,
  );
}

/** Berth makes no symbolic links and follows none, because they can point to files of other programs. */
function checkKinds(directory: string, contents: readonly Content[]): void {
  for (const { path, kind, expected } of contents) {
    if (expected === undefined || expected === kind) continue;
    throw new LocalError(
      'BERTH_LOCAL_STATE_DAMAGED',
      `${join(directory, path)} is a ${kind}, but Berth needs a ${expected} there. Move it out of the folder; --fresh does not delete it.`,
    );
  }
}

/** Reads the marker. A damaged marker counts as missing; then the content of the folder decides. */
function markerIn(directory: string): { readonly format: unknown } | undefined {
  try {
    const marker: unknown = JSON.parse(readFileSync(join(directory, STATE_MARKER), 'utf8'));
    return isObject(marker) && marker.berth === MARK.berth ? { format: marker.format } : undefined;
  } catch {
    return undefined;
  }
}

function mark(directory: string, format: number): void {
  const file = join(directory, STATE_MARKER);
  onState(file, () => {
    writeFileSync(`${file}.next`, `${JSON.stringify({ ...MARK, format }, null, 2)}\n`);
    renameSync(`${file}.next`, file);
  });
}
