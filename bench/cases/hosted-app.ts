import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { checkFleet } from '../../src/fleet/file/check-fleet.ts';
import { CHECKED_FLEET } from '../../src/fleet/file/checked-fleet.ts';

const KEYS = { FUNCTION_HOST_FUNCTION_KEY: 'key', FUNCTION_HOST_MASTER_KEY: 'master' };
const EMPTY_APP = `
  import { app } from '@azure/functions';
  app.http('empty', {
    methods: ['POST'], authLevel: 'function', route: 'allocate',
    handler: async (request) => ({ status: 200, body: JSON.stringify(await request.json()).slice(0, 2) }),
  });`;

/** Writes the app of Berth, as `npm run package` makes it, into a new folder. @param dist what `npm run build` has made */
export function berthApp(folder: string, dist: string): string {
  mkdirSync(folder);
  for (const file of ['fleet.json', 'host.json']) copyFileSync(file, join(folder, file));
  for (const file of ['functions.cjs', 'functions'])
    cpSync(join(dist, file), join(folder, file), { recursive: true });
  const [, built = ''] =
    /__BERTH_BUILD__="([^"]+)"/.exec(readFileSync(join(dist, 'functions.cjs'), 'utf8')) ?? [];
  writeFileSync(join(folder, CHECKED_FLEET), checkFleet(readFileSync('fleet.json', 'utf8'), [], built) ?? '');
  return withManifest(folder);
}

/** Writes an app with one function that answers the same requests with two characters. */
export async function emptyApp(folder: string): Promise<string> {
  await build({
    stdin: { contents: EMPTY_APP, resolveDir: process.cwd() },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['@azure/functions-core'],
    outfile: join(folder, 'functions.cjs'),
    logLevel: 'warning',
  });
  copyFileSync('host.json', join(folder, 'host.json'));
  return withManifest(folder);
}

function withManifest(folder: string): string {
  writeFileSync(join(folder, 'package.json'), '{"main":"functions.cjs"}');
  return folder;
}

export interface HostOptions {
  /** The folder of the app. */
  readonly app: string;
  /** Connection string of the account with the state tables. */
  readonly storage: string;
  /** What `npm run build` has made. */
  readonly dist: string;
}

/** An app in Berth's own function host, in a process of its own. */
export interface HostedApp {
  /** Asks for an allocation. @throws Error if the answer is not 200 */
  allocate(registrationId: string): Promise<void>;
  /** The CPU time of the process until now, in milliseconds. Linux only, because it reads `/proc`. */
  cpuMs(): number;
  stop(): Promise<void>;
}

/** Starts the function host. */
export async function hostApp({ app, storage, dist }: HostOptions): Promise<HostedApp> {
  const host = fork(join(dist, 'function-host.cjs'), ['--app', app, '--port', '0'], {
    env: { PATH: process.env.PATH, AzureWebJobsStorage: storage, ...KEYS },
    silent: true,
  });
  // Unread lines would stop the process.
  host.stdout?.resume();
  host.stderr?.resume();
  const [{ port }] = (await once(host, 'message')) as [{ readonly port: number }];
  const { hubs } = JSON.parse(readFileSync('fleet.json', 'utf8')) as { hubs: { host: string }[] };
  const linkedHubs = hubs.map(({ host: name }) => name);
  return {
    async allocate(registrationId) {
      const response = await fetch(`http://127.0.0.1:${port}/api/allocate`, {
        method: 'POST',
        headers: { 'x-functions-key': KEYS.FUNCTION_HOST_FUNCTION_KEY },
        body: JSON.stringify({
          deviceRuntimeContext: { registrationId, payload: { country: 'NL' } },
          linkedHubs,
        }),
      });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    },
    cpuMs: () => cpuMsOf(host),
    async stop() {
      host.kill('SIGKILL');
      if (host.exitCode === null && host.signalCode === null) await once(host, 'exit');
    },
  };
}

/** The CPU time of all threads of a process (proc(5), schedstat: nanoseconds). */
function cpuMsOf({ pid }: ChildProcess): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}
