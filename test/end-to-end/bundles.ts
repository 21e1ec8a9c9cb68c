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
  for (const file of ['host.json', 'local.settings.json']) copyFileSync(file, join(directory, file));
  writeFileSync(
    join(directory, 'fleet.json'),
    JSON.stringify(withLargeHubs(readFileSync('fleet.json', 'utf8'))),
  );
  const manifest: object = JSON.parse(readFileSync('package.json', 'utf8'));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...manifest, main: 'functions.cjs' }));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/**
 * The project's fleet file with hubs whose budget is large. With the smallest hubs, the first list of a hub's twins
 * gets its permit after twenty seconds, and each run waits for that.
 */
function withLargeHubs(text: string): object {
  const fleet = JSON.parse(text) as { readonly hubs: readonly object[] };
  return { ...fleet, hubs: fleet.hubs.map((hub) => ({ ...hub, tier: 'S3', units: 10 })) };
}
