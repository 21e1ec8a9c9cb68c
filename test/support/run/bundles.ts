import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type RunServer, startRunServer } from './run-server.ts';

/** Environment variable that tells the suites where {@link serveBundles} listens. */
export const BUNDLES = 'BERTH_TEST_BUNDLES';

/**
 * One build for all suites of a run. Each request is answered with the folder of the build, which starts with the first
 * request, or with status 500 and the error of the build. The suites copy what they run.
 */
export async function serveBundles(): Promise<RunServer> {
  let built: Promise<string> | undefined;
  return startRunServer(
    (_, response) => {
      built ??= build();
      built.then(
        (folder) => response.end(folder),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    },
    async () => {
      const folder = await built?.catch(() => undefined);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  );
}

/** Builds into a folder of its own: never into the dist that a running `npm start` uses. */
async function build(): Promise<string> {
  const cache = resolve('node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'berth-build-'));
  await promisify(execFile)(process.execPath, ['scripts/build/build.mjs', '--out', folder]);
  return folder;
}
