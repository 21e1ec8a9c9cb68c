import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cloud, startCloud } from '../cloud.ts';
import { readEventStatus } from '../control-api/index.ts';
import { deviceProfiles, edgeProfiles } from '../devices/device-profiles.ts';
import { LocalError } from '../errors.ts';
import { appNeedsIn, readLocalFleet } from '../fleet-file.ts';
import type { KeyInput } from '../hotkeys/hotkeys.ts';
import type { AppNeeds } from '../iot-hub/index.ts';
import { functionKeys } from '../keys.ts';
import { reservePort, untilFree } from '../listen.ts';
import type { LocalLog } from '../log.ts';
import { checkLoop, type LoopCheck, type LoopResult } from '../once/closed-loop.ts';
import { runResync } from '../once/resync-run.ts';
import type { LocalOptions, Ports } from '../options.ts';
import { berthPlan } from '../plan/berth-plan.ts';
import type { KeptRunning } from '../processes/kept-running.ts';
import { FleetProgress } from '../progress.ts';
import { onState } from '../state/failure.ts';
import { lockState } from '../state-lock.ts';
import { LiveFeed } from '../view/live-feed.ts';
import { progressLine } from '../view/progress-line.ts';
import type { Screen } from '../view/screen.ts';
import { estimatedEffect } from '../watch/fleet-change.ts';
import { FleetWatch } from '../watch/fleet-watch.ts';
import { runDevices } from './fleet-of-devices.ts';
import { FUNCTION_HOST, runFunctionApp, waitForFunctions } from './function-app.ts';
import { standardNames } from './hosts-lines.ts';
import { showLive } from './live.ts';
import { elapsed, keptLine, logTo } from './output.ts';
import { processList } from './process-list.ts';

export interface SupervisorOptions extends LocalOptions {
  /** Folder of the project, with host.json, package.json and fleet.json. */
  readonly appDirectory: string;
  /** Folder with the bundled processes. */
  readonly bundles: string;
  readonly screen: Screen;
  /** The keyboard. */
  readonly input: KeyInput;
  /** Ctrl-C aborts this signal. */
  readonly signal: AbortSignal;
  /** Stops the stack, as Ctrl-C does. */
  readonly end: () => void;
  /** How often the stack was restarted after a crash. */
  readonly restarts: number;
  /** Called when hubs, DPS and Event Hubs listen, with their ports. */
  readonly onUp: (ports: Ports) => void;
  /** Calls its argument when the bundles of the functions have changed. */
  readonly onRebuilt: (listener: () => void) => void;
}

const FUNCTIONS_START_MS = 60_000;
/** A run that another process has interrupted keeps its lease for a while. The devices do not wait for that. */
const FIRST_RUN_MS = 3_000;
const CHECK_EVERY_MS = 500;
/** Berth asks a hub for its devices at most every ten seconds, so a run of `resyncFleet` at every check would be wasted. */
const RESYNC_EVERY_MS = 1_500;
/** How often the live view asks Berth. To a file or pipe, it is printed at most every ten seconds. */
const ASK_EVERY_MS = { terminal: 5_000, pipe: 10_000 };
/** After SIGTERM, a function host needs up to eight seconds to end. */
const STOP_MS = 10_000;

/**
 * Starts the local stack and restarts processes that end. It ends the stack when the loop is closed (`once`) or the
 * signal is aborted.
 *
 * @returns with `once`: the result of the loop.
 * @throws LocalError if a part cannot start, and `BERTH_LOCAL_NOT_CLOSED` if the loop does not close in time.
 */
export async function supervise(options: SupervisorOptions): Promise<LoopResult | undefined> {
  const { appDirectory, stateDirectory, screen, signal } = options;
  const startedAt = Date.now();
  const log = logTo(screen);
  const keys = functionKeys(process.env);
  const fleetFile = resolve(appDirectory, process.env.FLEET_FILE || 'fleet.json');
  const fleet = readLocalFleet(fleetFile);
  let needs: AppNeeds = { appliesManifests: false, setsScopes: false, callsMethods: false };
  const logs = join(stateDirectory, 'logs');
  const unlock = lockState(stateDirectory, options.fresh, {
    protectedFolders: [appDirectory],
    onKept: (paths) => screen.line(keptLine(stateDirectory, paths)),
  });

  const running: KeptRunning[] = [];
  let cloud: Cloud | undefined;
  try {
    onState(logs, () => mkdirSync(logs, { recursive: true }));
    // This only finds a free port for the process that runs the functions later. DPS needs the port now for the URL
    // of the webhook.
    const functionsPort = options.withoutFunctions
      ? options.ports.functions
      : await reservePort(options.ports.functions, 'the functions', 'functions');
    const functionsUrl = `http://127.0.0.1:${functionsPort}`;
    if (options.restarts > 0) await untilFree(options.ports, signal);
    cloud = await startCloud({
      ...options,
      plan: berthPlan(fleet.hubs),
      appNeeds: () => {
        needs = appNeedsIn(fleetFile, needs);
        return needs;
      },
      functionsPort,
      functionKey: keys.function,
      webhookUrl: `${functionsUrl}/api/allocate?code=${encodeURIComponent(keys.function)}`,
      processes: () => processList(running, cloud, options.restarts),
      onAzuriteReturn: () => renewFunctions(running, options, log),
      log,
    });
    options.onUp(cloud.ports);
    const controlUrl = `http://127.0.0.1:${cloud.ports.control}`;
    screen.line(
      `${elapsed(startedAt)}  Azurite, Event Hubs, ${fleet.hubs.length} IoT hubs and DPS are up (control API ${controlUrl})`,
    );
    if (options.standardPorts) for (const line of await standardNames(cloud.names)) screen.line(line);
    const eventsBefore = (await readEventStatus(cloud.control)).events;

    if (options.withoutFunctions) {
      screen.line(
        `${elapsed(startedAt)}  waiting for the functions at ${functionsUrl}: run "func start" in this folder`,
      );
      await waitForFunctions(functionsUrl, Number.POSITIVE_INFINITY, signal);
    } else {
      running.push(
        runFunctionApp({
          ...options,
          port: functionsPort,
          keys,
          cloud,
          logFile: join(logs, 'functions.log'),
          log,
        }),
      );
      await waitForFunctions(functionsUrl, FUNCTIONS_START_MS, signal);
    }
    if (signal.aborted) return undefined;
    screen.line(
      `${elapsed(startedAt)}  the functions run at ${functionsUrl}/api (function key ${keys.function}, master key ${keys.master})`,
    );

    const edge = options.once ? [] : edgeProfiles(options.edgeDevices);
    const progress = new FleetProgress([...deviceProfiles(options.devices), ...edge]);
    const askEveryMs = screen.isTerminal ? ASK_EVERY_MS.terminal : ASK_EVERY_MS.pipe;
    const feed = new LiveFeed({ progress, cloud, functionsUrl, keys, startedAt, fleet, askEveryMs });
    progress.onNews((news, device) => feed.note(news, device));
    const access = {
      functionsUrl,
      functionKey: keys.function,
      masterKey: keys.master,
    };
    const loop = { ...access, progress, controlUrl, startedAt, eventsBefore };
    const firstRun = runResync(access, FIRST_RUN_MS).catch(() => {});
    if (progress.devices.size > 0) {
      // As in Azure, Berth knows the hubs before their first devices come. If it does not answer in time, they come anyway.
      await firstRun;
      running.push(
        await runDevices({
          profiles: [...progress.devices.values()].map(({ profile }) => profile),
          bundles: options.bundles,
          cloud,
          stateDirectory,
          lively: !options.once,
          logFile: join(logs, 'devices.log'),
          log,
          onNews: (news) => progress.take(news),
        }),
      );
    }
    if (options.once) return await untilClosed(() => checkLoop(loop), progress, options, startedAt);
    const { runCommand } = cloud.control;
    const functions = running.find(({ name }) => name === FUNCTION_HOST);
    const restartFunctions = functions && (() => void functions.renew(STOP_MS));
    options.onRebuilt(() => restartFunctions?.());
    await showLive({
      ...options,
      feed,
      watch: new FleetWatch({
        file: fleetFile,
        fleet,
        effectOf: (file) => estimatedEffect(file, runCommand, join(stateDirectory, 'what-if-devices.jsonl')),
        howToUse: screen.isTerminal && functions !== undefined ? 'press r' : 'restart to use it',
      }),
      addresses: { functionsUrl, controlUrl, functionKey: keys.function },
      runCommand,
      processes: () => processList(running, cloud, options.restarts),
      restartFunctions,
    });
    return undefined;
  } finally {
    screen.settle();
    if (signal.aborted) screen.line('Stopping the local stack…');
    for (const each of running.reverse()) await each.stop(STOP_MS);
    await cloud?.close();
    unlock();
  }
}

/** Checks repeatedly until the loop is closed. */
async function untilClosed(
  check: () => Promise<LoopCheck>,
  progress: FleetProgress,
  { screen, signal, timeoutMs }: SupervisorOptions,
  startedAt: number,
): Promise<LoopResult | undefined> {
  let reasons: readonly string[] = [];
  while (!signal.aborted) {
    let pauseMs = CHECK_EVERY_MS;
    try {
      const result = await check();
      if (result.closed) return result.result;
      reasons = result.reasons;
      if (result.ranResync) pauseMs = RESYNC_EVERY_MS;
    } catch (error) {
      // The function host may be restarting. The next check follows.
      reasons = [error instanceof Error ? error.message : String(error)];
    }
    if (Date.now() - startedAt > timeoutMs) {
      const text = reasons.slice(0, 5).join('; ');
      throw new LocalError(
        'BERTH_LOCAL_NOT_CLOSED',
        `The loop did not close within ${timeoutMs / 1_000} s: ${text}${reasons.length > 5 ? `; and ${reasons.length - 5} more` : ''}.`,
      );
    }
    screen.status([progressLine(progress, reasons, Date.now() - startedAt)]);
    await delay(pauseMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** Restarts the functions: their memory may not agree with tables that Azurite lost. Azure loses no tables. */
function renewFunctions(
  running: readonly KeptRunning[],
  { withoutFunctions }: LocalOptions,
  log: LocalLog,
): void {
  if (withoutFunctions) log.warn('Azurite restarted and lost its last writes. Restart the functions.');
  void running.find(({ name }) => name === FUNCTION_HOST)?.renew(STOP_MS);
}
