import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ErrorDetail } from '../../errors.ts';
import { unreadable, unwritable } from '../shell/files.ts';

/**
 * Why the files of a new project cannot be written without overwriting something: the files that exist already, and the
 * files that are in the place of a folder.
 *
 * @param files paths below the folder, with slashes.
 * @throws BerthError `BERTH_FILE_UNREADABLE`
 */
export function obstaclesIn(folder: string, files: readonly string[]): readonly ErrorDetail[] {
  const folders = [...new Set(files.flatMap(foldersAbove))].sort();
  const inTheWay = folders.filter((path) => isOther(join(folder, path)));
  const existing = files.filter((file) => exists(join(folder, file)));
  return [
    ...inTheWay.map((path) => ({ path, message: 'is not a folder' })),
    ...existing.map((path) => ({ path, message: 'exists' })),
  ];
}

/**
 * Writes new files. An existing file is never changed.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE` with the file that cannot be written
 */
export function writeNewFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    const path = join(folder, file);
    writing(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text, { flag: 'wx' });
    });
  }
}

/** @throws BerthError `BERTH_FILE_UNREADABLE` */
export function overwrite(path: string, text: string): void {
  writing(path, () => writeFileSync(path, text));
}

/**
 * The text of a file; undefined if there is none.
 *
 * @throws BerthError `BERTH_FILE_UNREADABLE`
 */
export function textIn(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** `a/b/c.json`: the folders `.`, `a` and `a/b`. */
function foldersAbove(file: string): readonly string[] {
  const parts = file.split('/').slice(0, -1);
  return ['.', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))];
}

/** Also a link to nothing counts: a file cannot be made there. */
function exists(path: string): boolean {
  return reading(path, () => lstatSync(path, { throwIfNoEntry: false })) !== undefined;
}

function isOther(path: string): boolean {
  const target = reading(path, () => statSync(path, { throwIfNoEntry: false }));
  return target === undefined ? exists(path) : !target.isDirectory();
}

function reading<Result>(path: string, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    // A file is in the place of a folder of the path. Another obstacle names it.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw unreadable(path, error);
  }
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw unwritable(path, error);
  }
}
