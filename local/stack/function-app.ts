import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cloud } from '../cloud.ts';
import { LocalError } from '../errors.ts';
import { pagePorts } from '../foreign-requests.ts';
import type { ReadyMessage } from '../function-host/main.ts';
import { FUNCTION_KEYS } from '../keys.ts';
import type { LocalLog } from '../log.ts';
import { logToFile } from '../log-file.ts';
import { startChild } from '../processes/child.ts';
import { type KeptRunning, keepRunning } from '../processes/kept-running.ts';

/** As `GET /processes` names it. */
export const FUNCTION_HOST = 'function host';

export interface FunctionAppOptions {
  /** The folder with host.json, package.json and fleet.json. */
  readonly appDirectory: string;
  readonly bundles: string;
  readonly port: number;
  readonly cloud: Cloud;
  /** Where its output goes. */
  readonly logFile: string;
  readonly log: LocalLog;
  /** Called when it is down for good reasons: it cannot start. */
  readonly onReady: () => void;
}

/** Runs the built app in a function host of its own, and starts it again when it dies. */
export function runFunctionApp(options: FunctionAppOptions): KeptRunning {
  const { appDirectory, bundles, port, cloud, logFile, log, onReady } = options;
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
      // The environment beats local.settings.json, which knows the default ports only.
      env: {
        ...cloud.settings,
        FUNCTION_HOST_FUNCTION_KEY: FUNCTION_KEYS.function,
        FUNCTION_HOST_MASTER_KEY: FUNCTION_KEYS.master,
      },
      onLine,
      onMessage: (message) => {
        if ((message as Partial<ReadyMessage> | null)?.type === 'ready') onReady();
      },
    });
  return keepRunning({ name: FUNCTION_HOST, start, log });
}

/**
 * Waits until the app answers, whoever runs it.
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
      // Not there yet.
    }
    if (Date.now() > until) {
      throw new LocalError(
        'BERTH_LOCAL_FUNCTIONS_MISSING',
        `Nothing answers at ${url}/api/health: the functions do not run.`,
      );
    }
    await delay(250, undefined, { signal }).catch(() => {});
  }
}
