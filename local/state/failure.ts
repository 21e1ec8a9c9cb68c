import { LocalError } from '../errors.ts';

/** The meaning of errors of the operating system, as the end of a sentence about a file or folder. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'cannot be used: this user has no permission',
  EPERM: 'cannot be used: this user has no permission',
  EROFS: 'cannot be written: it is on a read-only file system',
  ENOSPC: 'cannot be written: the disk is full',
  EDQUOT: 'cannot be written: the disk quota is used up',
  EFBIG: 'cannot be written: the limit for the size of a file is reached',
  ENOENT: 'cannot be created here',
  ENOTDIR: 'cannot be created: a part of the path is a file',
  EEXIST: 'is not a folder',
  EISDIR: 'is a folder, but must be a file',
  ELOOP: 'is a symbolic link that leads to itself',
  ENAMETOOLONG: 'is too long for a path',
};

/**
 * Turns an error of the operating system into a LocalError that names the file and says what to do. Returns any
 * other error unchanged.
 */
export function stateFailure(error: unknown, path: string): unknown {
  const code = errorCode(error);
  if (code === undefined || error instanceof LocalError) return error;
  return new LocalError(
    'BERTH_LOCAL_STATE_UNUSABLE',
    `${path} ${REASONS[code] ?? 'cannot be used'} (${code}). Correct that, or give another folder with --state.`,
    { cause: error },
  );
}

/** Calls `act`, which uses a file of the state. @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE` */
export function onState<Result>(path: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw stateFailure(error, path);
  }
}

/** The error for a damaged file of the state. It does not repeat the content, which can contain keys. */
export function damaged(file: string, what: string, cause?: unknown): LocalError {
  return new LocalError(
    'BERTH_LOCAL_STATE_DAMAGED',
    `${file} is damaged: ${what}. Berth did not change it. Repair it, or start with --fresh to delete all local state.`,
    { cause },
  );
}

/** The code of an error of the operating system, such as `ENOENT`; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as { readonly code?: unknown; readonly syscall?: unknown };
  return typeof code === 'string' && typeof syscall === 'string' ? code : undefined;
}
