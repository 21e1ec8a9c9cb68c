import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cloud } from '../cloud.ts';
import { LocalError } from '../errors.ts';
import { pagePorts } from '../foreign-requests.ts';
import type { FunctionHostKeys } from '../keys.ts';
import type { LocalLog } from '../log.ts';
import { logToFile } from '../log-file.ts';
import { startChild } from '../processes/child.ts';
import { isAnswering } from '../processes/is-answering.ts';
import { type KeptRunning, keepRunning } from '../processes/kept-running.ts';
import { localEnvironment } from '../processes/local-environment.ts';

/** The name in `GET /processes`. */
export const FUNCTION_HOST = 'function host';

export interface FunctionAppOptions {
  /** The folder with host.json, package.json and fleet.json. */
  readonly appDirectory: string;
  readonly bundles: string;
  readonly port: number;
  readonly keys: FunctionHostKeys;
  readonly cloud: Cloud;
  /** File for the output of the process. */
  readonly logFile: string;
  readonly log: LocalLog;
}

/** Runs the built app in a function host in its own process, and restarts this process when it ends. */
export function runFunctionApp(options: FunctionAppOptions): KeptRunning {
  const { appDirectory, bundles, port, cloud, logFile, log } = options;
  const onLine = logToFile(logFile, log);
  const start = () =>
    startChild({
      name: FUNCTION_HOST,
      file: join(bundles, 'function-host.cjs'),
      args: [
        ...['--app', appDirectory, '--port', String(port)],
        ...cloud.names.flatMap((name) => ['--own-name', name]),
        ...pagePorts(cloud.ports).flatMap((own) => ['--own-port', String(own)]),
      ],
      // These values replace those of local.settings.json, which contains only the default ports.
      env: localEnvironment({
        ...cloud.settings,
        FUNCTION_HOST_FUNCTION_KEY: options.keys.function,
        FUNCTION_HOST_MASTER_KEY: options.keys.master,
      }),
      onLine,
    });
  const responds = () => isAnswering(`http://127.0.0.1:${port}/api/health`);
  return keepRunning({ name: FUNCTION_HOST, start, responds, log });
}

/**
 * Waits until the app answers. It does not matter which process runs it.
 *
 * @throws LocalError `BERTH_LOCAL_FUNCTIONS_MISSING` after `ms`.
 */
export async function waitForFunctions(url: string, ms: number, signal: AbortSignal): Promise<void> {
  const until = Date.now() + ms;
  while (!signal.aborted) {
    try {
      const response = await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(2_000) });
      if (response.status === 200 || response.status === 503) return;
    } catch {
      // The functions do not listen yet.
    }
    if (Date.now() > until) {
      throw new LocalError(
        'BERTH_LOCAL_FUNCTIONS_MISSING',
        `The functions do not answer at ${url}/api/health.`,
      );
    }
    await delay(250, undefined, { signal }).catch(() => {});
  }
}
