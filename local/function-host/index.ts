import { realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { aborted } from '../aborted.ts';
import { LocalError } from '../errors.ts';
import type { OwnAddresses } from '../foreign-requests.ts';
import { listen } from '../listen.ts';
import { type LocalLog, silent } from '../log.ts';
import { loadApp } from './app/load-app.ts';
import { readHostFile } from './host-file.ts';
import type { HostedFunction } from './hosted-function.ts';
import type { FunctionKeys } from './http/keys.ts';
import { httpRoute, isHttpTrigger } from './http/routes.ts';
import { closeServer, createSiteServer } from './http/server.ts';
import { createInvoker } from './invocation.ts';
import { applyLocalSettings, isFunctionDisabled } from './settings.ts';
import { manualInvocation, startTriggers } from './triggers.ts';

/** Longest time for running invocations after the host stops accepting new ones, in milliseconds. */
const DRAIN_MS = 5_000;
/** Longest time for all later steps: connections that do not close, hooks that do not return. */
const CLOSE_GRACE_MS = 3_000;

export interface FunctionHostOptions {
  /**
   * Folder with package.json (`main` is a glob of the entry files), host.json and local.settings.json. It becomes
   * the working directory.
   */
  readonly appDirectory: string;
  /** On loopback; 0 selects a free port. */
  readonly port: number;
  readonly keys: FunctionKeys;
  /** Names and ports of the stack that the host belongs to; default: none. */
  readonly own?: OwnAddresses;
  readonly log?: LocalLog;
  /** Called when an invocation ran longer than `functionTimeout`. Azure would then end the worker process. */
  readonly recycle?: (reason: string) => void;
}

/** A function, for the log. */
export interface FunctionSummary {
  readonly name: string;
  /** Type of its trigger, such as `httpTrigger`. */
  readonly type: string;
  /** Only of HTTP functions: the path with its prefix, such as `/api/devices/{deviceId}`. */
  readonly route?: string;
  /** Only of HTTP functions; empty: all methods. */
  readonly methods?: readonly string[];
  /** The reason why it does not run, without the name of the function. */
  readonly problem?: string;
}

export interface FunctionHost {
  readonly port: number;
  readonly functions: readonly FunctionSummary[];
  /** Accepts nothing new, waits a limited time for running invocations, then runs the `appTerminate` hooks. */
  close(): Promise<void>;
}

/**
 * Loads a built Azure Functions app (Node.js, model v4) into this process as the worker does, and runs its HTTP,
 * timer and Event Hub functions as the host does. Call it once in a process, because it changes `process.env`, the
 * working directory and the loaded modules.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`, `BERTH_LOCAL_APP_MISSING`, `BERTH_LOCAL_APP_FILE`,
 *   `BERTH_LOCAL_APP_BROKEN`, `BERTH_LOCAL_FUNCTION_HOST_OPTIONS`
 */
export async function startFunctionHost(options: FunctionHostOptions): Promise<FunctionHost> {
  const { keys, own = { names: [] }, log = silent, recycle = () => {} } = options;
  if (keys.function === '' || keys.master === '') {
    throw new LocalError(
      'BERTH_LOCAL_FUNCTION_HOST_OPTIONS',
      'The function key and the master key must not be empty.',
    );
  }
  const directory = appDirectory(options.appDirectory);
  applyLocalSettings(directory, process.env);
  process.env.AZURE_FUNCTIONS_ENVIRONMENT ??= 'Development';
  const hostFile = readHostFile(directory, log);

  const { server, open } = createSiteServer(own, log);
  const port = await listen(server, options.port, 'the functions');
  const app = await loadApp(directory, log).catch((error: unknown) => {
    server.close();
    server.closeAllConnections();
    throw error;
  });
  const { functions } = app;
  const invoker = createInvoker(app.worker, hostFile.functionTimeoutMs, log, recycle);
  const routes = functions
    .filter(isHttpTrigger)
    .flatMap((fn) => httpRoute(fn, hostFile.routePrefix, log) ?? []);
  const disabled = new Set(
    functions.map((fn) => fn.name).filter((name) => isFunctionDisabled(name, process.env)),
  );
  const triggers = startTriggers(app, disabled, hostFile, invoker, log);

  function fire(fn: HostedFunction, input: string): void {
    const trigger = triggers.byFunction.get(fn.name);
    const invocation = trigger?.manualInvocation(input) ?? manualInvocation(fn, routes, port, input);
    invoker.invoke(fn, invocation).then(({ ok }) => {
      if (ok) log.info(`${fn.name} succeeded (manual run).`);
    });
  }
  open({ routes, keys, invoker, disabled, streamUri: app.capabilities.HttpUri, admin: { functions, fire } });

  async function drain(): Promise<void> {
    const giveUp = AbortSignal.timeout(DRAIN_MS);
    await Promise.all([
      closeServer(server, giveUp),
      ...[...triggers.byFunction.values()].map((trigger) => trigger.stop(giveUp)),
    ]);
    await Promise.race([invoker.idle(), aborted(giveUp)]);
  }

  async function close(): Promise<void> {
    await within(DRAIN_MS + CLOSE_GRACE_MS, drain());
    await within(CLOSE_GRACE_MS, app.terminate());
  }

  let closing: Promise<void> | undefined;
  return {
    port,
    functions: functions.map(summarize),
    close() {
      closing ??= close();
      return closing;
    },
  };

  function summarize(fn: HostedFunction): FunctionSummary {
    const route = routes.find((each) => each.fn === fn);
    const problem = disabled.has(fn.name) ? 'an app setting disables it' : triggers.problems.get(fn.name);
    return {
      name: fn.name,
      type: fn.trigger.type,
      ...(route === undefined ? {} : { route: route.path, methods: route.methods }),
      ...(problem === undefined ? {} : { problem }),
    };
  }
}

/** The real path, because Node.js loads modules by their real paths. */
function appDirectory(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    throw new LocalError('BERTH_LOCAL_APP_MISSING', `The app directory ${directory} does not exist.`, {
      cause: error,
    });
  }
}

/** Waits for `work`, but not longer than `ms`. Rejects if `work` rejects in this time. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = new AbortController();
  try {
    await Promise.race([work, delay(ms, undefined, { signal: late.signal }).catch(() => {})]);
  } finally {
    late.abort();
  }
}
