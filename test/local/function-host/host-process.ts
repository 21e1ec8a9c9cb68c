import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import type { ReadyMessage } from '../../../local/function-host/main.ts';
import { bundleOptions, programOptions } from '../../../scripts/build/bundle.mjs';
import { temporaryFolder } from '../../support/temporary-folder.ts';

export const FUNCTION_KEY = 'function-key-of-the-test';
export const MASTER_KEY = 'master-key-of-the-test';

/** Builds the host as it is shipped. Answers the file to run. */
export async function buildHost(): Promise<string> {
  const file = join(temporaryFolder('function-host'), 'function-host.cjs');
  await build({
    ...programOptions(bundleOptions(new Date().toISOString())),
    entryPoints: ['local/function-host/main.ts'],
    outfile: file,
  });
  return file;
}

export interface TestApp {
  /** TypeScript of the entry file. */
  readonly code: string;
  readonly host?: object;
  /** `Values` of local.settings.json. */
  readonly settings?: Readonly<Record<string, string>>;
  /** An ES module that imports `@azure/functions` from node_modules, instead of a CommonJS bundle. */
  readonly esm?: boolean;
}

/** Writes an app, bundled as Berth's own is, into a temporary directory. */
export async function writeApp({ code, host, settings, esm = false }: TestApp): Promise<string> {
  const directory = temporaryFolder('app');
  const main = esm ? 'dist/functions.mjs' : 'dist/functions.cjs';
  await build({
    stdin: { contents: code, loader: 'ts', resolveDir: resolve('.') },
    outfile: join(directory, main),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: esm ? 'esm' : 'cjs',
    external: esm ? ['@azure/functions'] : ['@azure/functions-core'],
    logLevel: 'error',
  });
  if (esm) symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  const files = {
    'package.json': { main: 'dist/functions.{cjs,mjs}' },
    'host.json': { version: '2.0', ...host },
    'local.settings.json': { IsEncrypted: false, Values: settings ?? {} },
  };
  for (const [name, content] of Object.entries(files)) writeFile(directory, name, JSON.stringify(content));
  return directory;
}

export function writeFile(directory: string, name: string, content: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), content);
}

export interface HostProcess {
  readonly child: ChildProcess;
  /** Everything printed so far. */
  output(): string;
  /** Resolves when the output matches. */
  printed(pattern: RegExp): Promise<void>;
  /** Code or signal that the process ended with. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface RunningHost extends HostProcess {
  readonly url: string;
  readonly functions: ReadyMessage['functions'];
  /** Ends it gracefully, and it must end with code 0. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** GETs a route and parses the JSON answer. */
  get(path: string): Promise<unknown>;
  /** Fires a function by hand. */
  fire(name: string, input?: unknown): Promise<number>;
}

/** Runs the host and does not wait for it. */
export function runHost(
  file: string,
  app: string,
  environment: NodeJS.ProcessEnv = {},
  port = 0,
): HostProcess {
  const child = fork(file, ['--app', app, '--port', String(port)], {
    silent: true,
    execArgv: [],
    env: {
      PATH: process.env.PATH,
      FUNCTION_HOST_FUNCTION_KEY: FUNCTION_KEY,
      FUNCTION_HOST_MASTER_KEY: MASTER_KEY,
      ...environment,
    },
  });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk.toString();
    child.emit('printed');
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  return {
    child,
    output: () => output,
    ended: new Promise((done) => child.once('close', (code, signal) => done(code ?? signal ?? 'SIGKILL'))),
    async printed(pattern) {
      const signal = AbortSignal.timeout(60_000);
      while (!pattern.test(output)) {
        await once(child, 'printed', { signal }).catch(() => {
          throw new Error(`Nothing that matches ${pattern} was printed:\n${output}`);
        });
      }
    },
  };
}

/** Runs the host and resolves when it serves. */
export async function startHost(
  file: string,
  app: string,
  environment: NodeJS.ProcessEnv = {},
  port = 0,
): Promise<RunningHost> {
  const host = runHost(file, app, environment, port);
  const ready = await Promise.race([
    once(host.child, 'message').then(([message]) => message as ReadyMessage),
    host.ended.then((code) => {
      throw new Error(`The host ended with ${code}:\n${host.output()}`);
    }),
  ]);
  const url = `http://127.0.0.1:${ready.port}`;
  return {
    ...host,
    url,
    functions: ready.functions,
    async stop() {
      host.child.kill('SIGTERM');
      const code = await host.ended;
      if (code !== 0) throw new Error(`The host ended with ${code}:\n${host.output()}`);
    },
    async kill() {
      host.child.kill('SIGKILL');
      await host.ended;
    },
    async get(path) {
      const response = await fetch(`${url}${path}`);
      if (!response.ok) throw new Error(`GET ${path} answered ${response.status}`);
      return response.json();
    },
    async fire(name, input = '') {
      const response = await fetch(`${url}/admin/functions/${name}`, {
        method: 'POST',
        headers: { 'x-functions-key': MASTER_KEY, 'content-type': 'application/json' },
        body: JSON.stringify({ input }),
      });
      return response.status;
    },
  };
}
