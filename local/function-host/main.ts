import { parseArgs } from 'node:util';
import { LocalError } from '../errors.ts';
import type { OwnAddresses } from '../foreign-requests.ts';
import type { LocalLog } from '../log.ts';
import { type FunctionHost, type FunctionSummary, startFunctionHost } from './index.ts';

/**
 * The function host as a process: `node function-host.cjs --app DIRECTORY [--port 7071]`. `--own-name` and
 * `--own-port`, repeatable, give the names and ports of the stack that it belongs to.
 *
 * The keys are in `FUNCTION_HOST_FUNCTION_KEY` and `FUNCTION_HOST_MASTER_KEY`. They are removed from the environment
 * before the app is loaded. If a parent process started it (`child_process.fork`), it sends {@link ReadyMessage} and
 * ends when the parent ends.
 */

/** The message to the parent when the host answers requests. */
export interface ReadyMessage {
  readonly type: 'ready';
  readonly port: number;
  readonly functions: readonly FunctionSummary[];
}

const KEYS = { function: 'FUNCTION_HOST_FUNCTION_KEY', master: 'FUNCTION_HOST_MASTER_KEY' } as const;

/** Time to send the answers of failed requests before the process ends. */
const EXIT_DELAY_MS = 200;

const log: LocalLog = {
  info: (message) => console.log(message),
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
};

async function main(): Promise<FunctionHost> {
  const { app, port, own } = commandLine();
  const host = await startFunctionHost({
    appDirectory: app,
    port,
    own,
    keys: { function: takeKey(KEYS.function), master: takeKey(KEYS.master) },
    log,
    recycle(reason) {
      log.error(`${reason}. The process ends, like the worker in Azure.`);
      setTimeout(() => process.exit(1), EXIT_DELAY_MS);
    },
  });
  for (const fn of host.functions) log.info(describe(fn, host.port));
  return host;
}

interface CommandLine {
  readonly app: string;
  readonly port: number;
  readonly own: OwnAddresses;
}

function commandLine(): CommandLine {
  try {
    const { values } = parseArgs({
      options: {
        app: { type: 'string' },
        port: { type: 'string', default: '7071' },
        'own-name': { type: 'string', multiple: true, default: [] },
        'own-port': { type: 'string', multiple: true, default: [] },
      },
    });
    if (values.app === undefined) throw new Error('--app is missing');
    const port = portNumber(values.port);
    const ports = values['own-port'].map(portNumber);
    return { app: values.app, port, own: { names: values['own-name'], ports: () => ports } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LocalError(
      'BERTH_LOCAL_FUNCTION_HOST_OPTIONS',
      `Wrong arguments: ${reason}. Usage: function-host --app DIRECTORY [--port 7071].`,
      { cause: error },
    );
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`"${text}" is not a port`);
}

function takeKey(name: string): string {
  const key = process.env[name];
  if (!key) {
    throw new LocalError(
      'BERTH_LOCAL_FUNCTION_HOST_OPTIONS',
      `The environment variable ${name} must hold a key.`,
    );
  }
  delete process.env[name];
  return key;
}

function describe({ name, type, route, methods, problem }: FunctionSummary, port: number): string {
  if (problem !== undefined) return `${name}: ${type}, does not run: ${problem}`;
  if (route === undefined) return `${name}: ${type}`;
  return `${name}: [${methods?.join(',') || 'any method'}] http://localhost:${port}${route}`;
}

/** The worker ends in the same way: nodejs-worker `setupEventStream.ts`. */
process.on('uncaughtException', (error: unknown) => {
  log.error(`Uncaught exception: ${error instanceof Error ? error.stack : String(error)}`);
  process.exit(1);
});

const starting = main();

async function stop(): Promise<void> {
  // Clients that close make errors, and Node.js would read the source map of the app for their stacks: a second of CPU.
  process.setSourceMapsEnabled(false);
  try {
    await (await starting).close();
    process.exit(0);
  } catch (error) {
    log.error(`The host did not stop cleanly: ${error}`);
    process.exit(1);
  }
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
process.on('disconnect', stop);

starting.then(
  ({ port, functions }) => {
    const ready: ReadyMessage = { type: 'ready', port, functions };
    process.send?.(ready);
  },
  (error: unknown) => {
    log.error(startFailure(error));
    process.exit(1);
  },
);

/** The message of a failed start. Only an error in the code of the app has a stack trace. */
function startFailure(error: unknown): string {
  if (!(error instanceof LocalError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (error.code !== 'BERTH_LOCAL_APP_BROKEN' || !(error.cause instanceof Error)) return error.message;
  return `${error.message}\n${error.cause.stack}`;
}
