import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cloud, startCloud } from '../cloud.ts';
import { functionKeys } from '../keys.ts';
import { untilFree } from '../listen.ts';
import { plainPlan } from '../plan/plain-plan.ts';
import { onState } from '../state/failure.ts';
import { lockState } from '../state-lock.ts';
import { renderPlain } from '../view/plain-view.ts';
import { pluralText } from '../view/text.ts';
import { standardNames } from './hosts-lines.ts';
import { elapsed, keptLine, logTo } from './output.ts';
import { processList } from './process-list.ts';
import type { SupervisorOptions } from './supervisor.ts';

const REDRAW_EVERY_MS = 1_000;

/**
 * Runs hubs, DPS, Event Hubs and storage without Berth until the signal is aborted: for programs of the user's own.
 *
 * @throws LocalError if a part cannot start, or `local.json` is not valid
 */
export async function runPlain(options: SupervisorOptions): Promise<void> {
  const { appDirectory, stateDirectory, screen, signal } = options;
  const startedAt = Date.now();
  const log = logTo(screen);
  const plan = plainPlan(appDirectory, options.configuration);
  const ports = { ...options.ports, ...plan.ports, ...options.givenPorts };
  const unlock = lockState(stateDirectory, options.fresh, {
    protectedFolders: [appDirectory],
    onKept: (paths) => screen.line(keptLine(stateDirectory, paths)),
  });
  let cloud: Cloud | undefined;
  try {
    const logs = join(stateDirectory, 'logs');
    onState(logs, () => mkdirSync(logs, { recursive: true }));
    if (options.restarts > 0) await untilFree(ports, signal);
    cloud = await startCloud({
      ...options,
      plan,
      ports,
      functionsPort: ports.functions,
      functionKey: functionKeys(process.env).function,
      webhookUrl: undefined,
      processes: () => processList([], cloud, options.restarts),
      onAzuriteReturn: () => {},
      log,
    });
    options.onUp(cloud.ports);
    const controlUrl = `http://127.0.0.1:${cloud.ports.control}`;
    const up = pluralText(plan.hubs.length, 'IoT hub');
    screen.line(
      `${elapsed(startedAt)}  Azurite, Event Hubs, ${up} and DPS are up (control API ${controlUrl})`,
    );
    if (options.standardPorts) for (const line of await standardNames(cloud.names)) screen.line(line);
    screen.line('         A device of your own: npm run device -- my-device --print-env');
    while (!signal.aborted) {
      // A file or a pipe gets no status, because it would change every second.
      const lines = renderPlain(cloud, processList([], cloud, options.restarts), Date.now() - startedAt);
      if (screen.isTerminal) screen.status(lines);
      await delay(REDRAW_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  } finally {
    screen.settle();
    if (signal.aborted) screen.line('Stopping the local stack…');
    await cloud?.close();
    unlock();
  }
}
