import { type Dirent, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onState } from './failure.ts';

/** File that marks a folder as made by Berth. */
export const STATE_MARKER = 'berth-state.json';
/** File with the process id of the local stack that uses the folder. */
export const LOCK = 'lock';
/** File that is written and deleted at the start, to check for free space. */
export const PROBE = 'probe';

/**
 * The paths of everything that Berth makes in its state folder. Berth deletes nothing else. Add every new file or
 * folder here.
 */
const FOLDERS = /^(azurite(\/__(blob|queue)storage__)?|ca|dps|event-hubs(\/[a-z0-9._-]+)?|hubs|logs|tpm)$/;
const FILES: readonly RegExp[] = [
  /^(lock|probe|berth-state\.json(\.next)?|batteries\.jsonl(\.next)?|what-if-devices\.jsonl)$/,
  // Azurite's databases (its library LokiJS writes `~` first) and the content of blobs and messages.
  /^azurite\/__azurite_db_(blob|blob_extent|queue|queue_extent|table)__\.json~?$/,
  /^azurite\/__(blob|queue)storage__\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  /^ca\/(root|server|(group|device)-[a-z0-9._%-]+)\.(pem|key)(\.next)?$/i,
  /^ca\/bundle\.pem$/,
  /^dps\/(registrations|enrollments|certificates)\.jsonl(\.next)?$/,
  /^event-hubs\/[a-z0-9._-]+\/\d+\.jsonl(\.next)?$/,
  /^hubs\/[a-z0-9-]+(\.[a-z0-9-]+)+\.jsonl(\.next)?$/,
  /^tpm\/[a-z0-9._%-]+\.json$/i,
  /^logs\/(functions|devices)\.log$/,
];
/** The journals of hubs and event hubs. Only Berth makes them, so they identify folders of versions without a marker. */
const UNMISTAKABLE = /^(hubs|event-hubs\/[^/]+)\/.*\.jsonl$/;
/** The files that a failed start can leave, besides empty folders. */
const FIRST_FILES = /^(lock|probe|berth-state\.json(\.next)?)$/;

/** One file or folder in the state folder. */
export interface Content {
  /** Relative to the state folder, with `/`. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'symbolic link' | 'special file';
  /** What Berth makes under this name; undefined: nothing. */
  readonly expected: 'file' | 'folder' | undefined;
}

/**
 * Lists the state folder, each folder before its content. It does not enter folders that Berth does not make, and
 * does not follow symbolic links.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function contentsOf(directory: string, below = ''): readonly Content[] {
  const folder = join(directory, below);
  const entries = onState(folder, () => readdirSync(folder, { withFileTypes: true }));
  return entries.flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    const content: Content = { path, kind: kindOf(entry), expected: expectedAt(path) };
    const isOwnFolder = content.kind === 'folder' && content.expected === 'folder';
    return isOwnFolder ? [content, ...contentsOf(directory, path)] : [content];
  });
}

/** Whether a folder holds no state: it is empty, or a start in it failed before it stored anything. */
export function holdsNoState(contents: readonly Content[]): boolean {
  return contents.every(
    ({ path, kind, expected }) => kind === expected && (kind === 'folder' || FIRST_FILES.test(path)),
  );
}

/** Whether a folder without a marker holds only the state of a version of Berth that wrote no marker. */
export function isEarlierState(contents: readonly Content[]): boolean {
  const isClean = contents.every(({ path, expected }) => expected !== undefined || path.includes('/'));
  const hasJournals = contents.some(
    ({ path, kind, expected }) => kind !== 'folder' && expected !== undefined && UNMISTAKABLE.test(path),
  );
  const names = contents.filter(({ path }) => !path.includes('/'));
  return isClean && hasJournals && names.length > 1;
}

/**
 * Deletes everything that Berth made in the folder, except the marker and the lock. The caller has checked that
 * each of these paths is of the expected kind.
 *
 * @returns the paths of everything that Berth did not make, which is kept.
 * @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function clearContents(directory: string): readonly string[] {
  const contents = contentsOf(directory);
  const own = contents.filter(
    ({ path, expected }) => expected !== undefined && path !== STATE_MARKER && path !== LOCK,
  );
  const kept = contents.filter(({ expected }) => expected === undefined).map(({ path }) => path);
  for (const { path, kind } of own.toReversed()) {
    const full = join(directory, path);
    const holdsOthers = kept.some((other) => other.startsWith(`${path}/`));
    if (kind === 'file') onState(full, () => rmSync(full, { force: true }));
    else if (!holdsOthers) onState(full, () => rmdirSync(full));
  }
  return kept;
}

function expectedAt(path: string): Content['expected'] {
  if (FOLDERS.test(path)) return 'folder';
  return FILES.some((pattern) => pattern.test(path)) ? 'file' : undefined;
}

function kindOf(entry: Dirent): Content['kind'] {
  if (entry.isSymbolicLink()) return 'symbolic link';
  if (entry.isDirectory()) return 'folder';
  return entry.isFile() ? 'file' : 'special file';
}
