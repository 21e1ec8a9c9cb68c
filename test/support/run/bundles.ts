import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** Environment variable that tells the suites where {@link serveBundles} listens. */
export const BUNDLES = 'BERTH_TEST_BUNDLES';

export interface ServedBundles {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * One build for all suites of a run. Each request is answered with the folder of the build, which starts with the first
 * request, or with status 500 and the error of the build. The suites copy what they run.
 */
export async function serveBundles(): Promise<ServedBundles> {
  let built: Promise<string> | undefined;
  const server = createServer((_, response) => {
    built ??= build();
    built.then(
      (folder) => response.end(folder),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  // A suite may be busy for longer than the default of five seconds between two questions.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      const folder = await built?.catch(() => undefined);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Builds into a folder of its own: never into the dist that a running `npm start` uses. */
async function build(): Promise<string> {
  const cache = resolve('node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'berth-build-'));
  await promisify(execFile)(process.execPath, ['scripts/build/build.mjs', '--out', folder]);
  return folder;
}
