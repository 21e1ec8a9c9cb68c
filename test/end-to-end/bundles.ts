import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Bundles {
  readonly directory: string;
  remove(): void;
}

/**
 * Builds into a folder of its own, below node_modules so that packages are found: never into the dist that a
 * running `npm start` uses.
 */
export function buildBundles(): Bundles {
  const cache = resolve('node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'berth-test-'));
  execFileSync(process.execPath, ['build.mjs', '--out', directory], { stdio: 'inherit' });
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
