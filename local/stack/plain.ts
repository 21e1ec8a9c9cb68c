import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cloud, startCloud } from '../cloud.ts';
import { readLocalFleet } from '../fleet-file.ts';
import type { HubSettings } from '../iot-hub/index.ts';
import { functionKeys } from '../keys.ts';
import { onState } from '../state/failure.ts';
import { lockState } from '../state-lock.ts';
import { renderPlain } from '../view/plain-view.ts';
import { standardNames } from './hosts-lines.ts';
import { elapsed, keptLine, logTo } from './output.ts';
import { processList } from './process-list.ts';
import type { SupervisorOptions } from './supervisor.ts';

const REDRAW_EVERY_MS = 1_000;

/** The hub of a folder without a fleet file. */
const ONLY_HUB: HubSettings = { host: 'local-hub.azure-devices.net', tier: 'S1', units: 1 };

/**
 * Runs hubs, DPS, Event Hubs and storage without Berth until the signal is aborted: for programs of the user's own.
 *
 * @throws LocalError if a part cannot start
 */
export async function runPlain(options: SupervisorOptions): Promise<void> {
  const { appDirectory, stateDirectory, screen, signal } = options;
  const startedAt = Date.now();
  const log = logTo(screen);
  const hubs = hubsOf(appDirectory);
  const unlock = lockState(stateDirectory, options.fresh, {
    protectedFolders: [appDirectory],
    onKept: (paths) => screen.line(keptLine(stateDirectory, paths)),
  });
  let cloud: Cloud | undefined;
  try {
    const logs = join(stateDirectory, 'logs');
    onState(logs, () => mkdirSync(logs, { recursive: true }));
    cloud = await startCloud({
      ...options,
      hubs,
      functionsPort: options.ports.functions,
      functionKey: functionKeys(process.env).function,
      webhookUrl: undefined,
      processes: () => processList([], cloud),
      onAzuriteReturn: () => {},
      log,
    });
    const controlUrl = `http://127.0.0.1:${cloud.ports.control}`;
    const up = hubs.length === 1 ? '1 IoT hub' : `${hubs.length} IoT hubs`;
    screen.line(
      `${elapsed(startedAt)}  Azurite, Event Hubs, ${up} and DPS are up (control API ${controlUrl})`,
    );
    if (options.standardPorts) for (const line of await standardNames(cloud.names)) screen.line(line);
    screen.line('         A device of your own: npm run device -- my-device --print-env');
    while (!signal.aborted) {
      // A file or a pipe gets no status, because it would change every second.
      const lines = renderPlain(cloud, processList([], cloud), Date.now() - startedAt);
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

/** The hubs of the fleet file, so that a program finds the same names with and without Berth. */
function hubsOf(appDirectory: string): readonly HubSettings[] {
  const fleetFile = resolve(appDirectory, process.env.FLEET_FILE || 'fleet.json');
  return existsSync(fleetFile) ? readLocalFleet(fleetFile).hubs : [ONLY_HUB];
}
