import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BUNDLES } from '../support/run/bundles.ts';

export interface Bundles {
  /** The bundles, and the app that runs them: it is a project's folder too. */
  readonly directory: string;
  remove(): void;
}

/** Copies the build of the run into a folder of the suite, below node_modules so that packages are found. */
export async function copyBundles(): Promise<Bundles> {
  const built = await buildOfRun();
  const directory = mkdtempSync(join(resolve('node_modules/.cache'), 'berth-test-'));
  cpSync(built, directory, { recursive: true });
  for (const file of ['host.json', 'local.settings.json']) copyFileSync(file, join(directory, file));
  writeFileSync(
    join(directory, 'fleet.json'),
    JSON.stringify(withLargeHubs(readFileSync('fleet.json', 'utf8'))),
  );
  const manifest: object = JSON.parse(readFileSync('package.json', 'utf8'));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...manifest, main: 'functions.cjs' }));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The folder of the build that all suites of the run share. */
async function buildOfRun(): Promise<string> {
  const url = process.env[BUNDLES];
  if (url === undefined) throw new Error(`${BUNDLES} is not set: only Jest's global setup sets it`);
  const response = await fetch(url);
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}

/**
 * The project's fleet file with hubs whose budget is large. With the smallest hubs, the first list of a hub's twins
 * gets its permit after twenty seconds, and each run waits for that.
 */
function withLargeHubs(text: string): object {
  const fleet = JSON.parse(text) as { readonly hubs: readonly object[] };
  return { ...fleet, hubs: fleet.hubs.map((hub) => ({ ...hub, tier: 'S3', units: 10 })) };
}
