// Whether a build would give the same as the last one, so that `npm start` does not wait for it.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a build reads, besides the files of the root folder and node_modules. */
const FOLDERS = ['bin', 'console', 'infra', 'local', 'schemas', 'scripts', 'src', '.github'];
const STAMP = 'inputs.txt';

/**
 * A digest of the names, sizes and times of change of everything that a build reads. A new install changes it too.
 *
 * @param {string} root the folder of this repository.
 */
export function inputsDigest(root) {
  const ownFiles = filesOf(root, { recursive: false });
  const inFolders = FOLDERS.flatMap((folder) =>
    filesOf(join(root, folder), { recursive: true }).filter((file) => !file.includes('node_modules')),
  );
  const installed = join(root, 'node_modules', '.package-lock.json');
  const hash = createHash('sha256');
  for (const file of [...ownFiles, ...inFolders, installed].sort()) {
    const { size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? { size: -1, mtimeMs: -1 };
    hash.update(`${file}\n${size}\n${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** @returns {boolean} whether the last build into this folder ended, and read the same. */
export function isBuilt(outdir, digest) {
  const stamp = join(outdir, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

/** Must be the last step of a build. */
export function markBuilt(outdir, digest) {
  writeFileSync(join(outdir, STAMP), digest);
}

function filesOf(folder, options) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { ...options, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
