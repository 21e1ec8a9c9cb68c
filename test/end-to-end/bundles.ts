import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Bundles {
  /** The bundles, and the app that runs them: it is a project's folder too. */
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
  execFileSync(process.execPath, ['scripts/build/build.mjs', '--out', directory], { stdio: 'inherit' });
  for (const file of ['host.json', 'fleet.json', 'local.settings.json']) {
    copyFileSync(file, join(directory, file));
  }
  const manifest: object = JSON.parse(readFileSync('package.json', 'utf8'));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...manifest, main: 'functions.cjs' }));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
