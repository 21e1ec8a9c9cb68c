import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';

/** A file of the console, with the headers that it is answered with. */
export interface ConsoleFile {
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the bytes, in lower-case hexadecimal. */
  readonly sha256: string;
}

/** Files of other kinds are not served. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** The page loads nothing from elsewhere, runs no inline script, and is shown in no frame. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // The browser keeps the file and asks each time: with the ETag the answer is 304.
  'cache-control': 'no-cache',
};

/** A part of a path: no hidden file, no `..`, and no character with a meaning for a file system. */
const PART = /^(?!\.)[\w.-]{1,100}$/;

/**
 * Reads a file of the console. Undefined: there is none. It reads nothing outside the folder, also not through a symbolic link.
 *
 * @param folder where the built console is.
 * @param path of the file in the folder, with slashes; empty: `index.html`.
 */
export async function consoleFile(folder: string, path: string): Promise<ConsoleFile | undefined> {
  const parts = path === '' ? ['index.html'] : path.split('/');
  const type = TYPES[extname(parts.at(-1) ?? '').toLowerCase()];
  if (type === undefined || !parts.every((part) => PART.test(part))) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(join(root, ...parts));
    if (!file.startsWith(`${root}${sep}`)) return undefined;
    const bytes = await readFile(file);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { bytes, headers: { ...HEADERS, 'content-type': type }, sha256 };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Not there, or a folder, or a file where a folder should be. */
function isMissing(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENAMETOOLONG';
}
