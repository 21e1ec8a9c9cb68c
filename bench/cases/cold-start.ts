import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { checkFleet } from '../../src/fleet/file/check-fleet.ts';
import { CHECKED_FLEET } from '../../src/fleet/file/checked-fleet.ts';
import { type Figure, figureOf } from '../measure.ts';

const KEYS = { FUNCTION_HOST_FUNCTION_KEY: 'key', FUNCTION_HOST_MASTER_KEY: 'master' };
/** Nothing listens there, so that the state tables take no time of other processes. */
const NO_STATE =
  'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/devstoreaccount1;';
const EMPTY_APP = `
  import { app } from '@azure/functions';
  app.http('empty', {
    methods: ['POST'], authLevel: 'function', route: 'allocate',
    handler: async (request) => ({ status: 200, body: JSON.stringify(await request.json()).slice(0, 2) }),
  });`;

/**
 * From the start of the process to the first allocation, as CPU time of the whole process, next to an app with one empty function,
 * in Berth's own function host. Linux only, because it reads `/proc`. Needs `npm run build`.
 *
 * @param progress called before each start
 */
export async function coldStart(rounds: number, progress: (text: string) => void): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  try {
    const [berth, empty] = [berthApp(join(folder, 'berth')), await emptyApp(join(folder, 'empty'))];
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      progress(`cold start, round ${round + 1} of ${rounds}`);
      const base = await firstAnswerMs(empty);
      ratios.push((await firstAnswerMs(berth)) / base);
    }
    const what = 'process start to first allocation / to first answer of an empty app';
    return figureOf({ name: 'cold-start', what, goal: 1.2 }, ratios, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function berthApp(folder: string): string {
  mkdirSync(folder);
  for (const file of ['fleet.json', 'host.json']) copyFileSync(file, join(folder, file));
  for (const file of ['functions.cjs', 'functions'])
    cpSync(join('dist', file), join(folder, file), { recursive: true });
  const [, built = ''] = /__BERTH_BUILD__="([^"]+)"/.exec(readFileSync('dist/functions.cjs', 'utf8')) ?? [];
  writeFileSync(join(folder, CHECKED_FLEET), checkFleet(readFileSync('fleet.json', 'utf8'), [], built) ?? '');
  return withManifest(folder);
}

async function emptyApp(folder: string): Promise<string> {
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

async function firstAnswerMs(app: string): Promise<number> {
  const host = fork('dist/function-host.cjs', ['--app', app, '--port', '0'], {
    env: { PATH: process.env.PATH, AzureWebJobsStorage: NO_STATE, ...KEYS },
    silent: true,
  });
  try {
    const [{ port }] = (await once(host, 'message')) as [{ readonly port: number }];
    const { hubs } = JSON.parse(readFileSync('fleet.json', 'utf8')) as { hubs: { host: string }[] };
    const response = await fetch(`http://127.0.0.1:${port}/api/allocate`, {
      method: 'POST',
      headers: { 'x-functions-key': KEYS.FUNCTION_HOST_FUNCTION_KEY },
      body: JSON.stringify({
        deviceRuntimeContext: { registrationId: 'sim-0001', payload: { country: 'NL' } },
        linkedHubs: hubs.map(({ host: name }) => name),
      }),
    });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    await response.text();
    return cpuMsOf(host);
  } finally {
    host.kill('SIGKILL');
    if (host.exitCode === null && host.signalCode === null) await once(host, 'exit');
  }
}

/** The CPU time of all threads of a process (proc(5), schedstat: nanoseconds). */
function cpuMsOf({ pid }: ChildProcess): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}
