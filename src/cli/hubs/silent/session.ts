import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { conditionsOf, effectiveHub } from '../../../allocation/conditions.ts';
import { drainCause } from '../../../allocation/moves/moves.ts';
import { dpsPlace } from '../../../dps/connection.ts';
import { openDps } from '../../../dps/dps.ts';
import { DpsError, type DpsPort } from '../../../dps/port.ts';
import { BerthError } from '../../../errors.ts';
import type { Fleet, Hub } from '../../../fleet/fleet.ts';
import { openIdentityRegistry } from '../../../hub/identity-registry.ts';
import { HubError } from '../../../hub/port.ts';
import type { HostName } from '../../../iot-hub/host-name.ts';
import type { HubDrain } from '../../../silent-devices/drain-choice.ts';
import type { Cli } from '../../shell/cli.ts';
import { knownHub } from '../../shell/known.ts';
import { endpointsAsOperator, openHubsAsOperator } from '../../shell/operator-hubs.ts';
import { fleetInForce, openState, type State } from '../../shell/state.ts';
import { tell } from '../../shell/terminal.ts';
import { paceOf } from './pace.ts';
import type { DrainTools } from './tools.ts';

/** How long a command that was killed keeps others from working on the hub. */
const LEASE_MS = 2 * 60_000;

/** A command that works on the identities of a hub, with everything that it opened. */
export interface DrainSession {
  readonly state: State;
  readonly fleet: Fleet;
  readonly hub: Hub;
  readonly dps: DpsPort;
  readonly tools: DrainTools;
  /** @throws BerthError `BERTH_DRAIN_RUNNING` */
  begin(): Promise<void>;
}

/**
 * Opens a hub of the fleet file in force and its DPS, with the operator's own sign-in, and closes both afterwards.
 *
 * @param waitMs how long the command waits for registrations, and again for connections.
 * @throws BerthError `BERTH_HUB_UNKNOWN`; a missing right is `BERTH_HUB_UNAUTHORIZED` or `BERTH_DPS_UNAUTHORIZED` with the role
 */
export async function withDrainSession(
  cli: Cli,
  name: string,
  waitMs: number,
  work: (session: DrainSession) => Promise<number>,
): Promise<number> {
  const { env, now, terminal } = cli;
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const host = knownHub(
    name,
    fleet.hubs.map((hub) => hub.host),
    'The fleet file in force',
  );
  const hub = fleet.hubByHost.get(host) as Hub;
  const ending = new Ending(cli.ending);
  const lease = state.disabledDevices.lease(host, randomUUID());
  const renew = async () => {
    if (await lease.take(now(), LEASE_MS)) return;
    throw new BerthError(
      'BERTH_DRAIN_RUNNING',
      `Another command disables or enables devices of ${host} now. End it with Ctrl-C, or run this command again two minutes after it has ended.`,
    );
  };
  const dps = openDps(dpsPlace(env));
  const registry = openIdentityRegistry(host, endpointsAsOperator(fleet, env)(host));
  const others = openHubsAsOperator(fleet, env);
  const wait = cli.wait ?? ((ms: number) => setTimeout(ms, undefined));
  const tools: DrainTools = {
    host,
    registry,
    dps,
    store: state.disabledDevices,
    pace: paceOf(hub, now, wait),
    async statusThere(there, deviceId) {
      if (!fleet.hubByHost.has(there)) return 'unknown';
      try {
        return await others.identityStatus({ host: there, deviceId, moduleId: undefined });
      } catch (error) {
        if (error instanceof HubError && error.code === 'BERTH_HUB_UNAUTHORIZED') return 'unknown';
        throw error;
      }
    },
    waitMs,
    now,
    wait: (ms) => interruptible(cli.wait, ms, ending.signal),
    isEnding: () => ending.signal.aborted,
    renew,
    report: (line) => tell(terminal, line),
  };
  const begin = async () => {
    await renew();
    ending.begin();
  };
  try {
    return await work({ state, fleet, hub, dps, tools, begin });
  } catch (error) {
    throw withRoles(error, host);
  } finally {
    ending.end();
    await lease.release();
    await Promise.all([dps.close(), registry.close(), others.close()]);
  }
}

/**
 * The drain of a hub.
 *
 * @throws BerthError `BERTH_HUB_NOT_DRAINING`, `BERTH_DRAIN_NOWHERE`
 */
export async function hubDrainOf({ state, fleet, hub, tools }: DrainSession): Promise<HubDrain> {
  const { host, now } = tools;
  const conditions = await state.conditions.read(now());
  const stateOf = (each: Hub) => effectiveHub(each, conditionsOf(each.host, conditions), now()).state;
  if (stateOf(hub) !== 'draining') {
    throw new BerthError(
      'BERTH_HUB_NOT_DRAINING',
      `${host} is ${stateOf(hub)}, not draining, so a device that registers again would stay. Start a drain first: berth hub set ${host} --state draining --reason TEXT --expires 7d.`,
    );
  }
  if (!fleet.hubs.some((each) => each.host !== host && stateOf(each) === 'active')) {
    throw new BerthError(
      'BERTH_DRAIN_NOWHERE',
      `No other hub of the fleet file is active, so no device can leave ${host}. Set one with: berth hub set HOST --state active --reason TEXT --expires 7d, or add a hub to the fleet file.`,
    );
  }
  const cause = drainCause(host);
  return {
    host,
    cause,
    since: conditions.causes.get(cause),
    overMs: fleet.allocation.movesOverMs,
    silentAfterMs: fleet.twins.moveRequest?.silentAfterMs ?? 0,
  };
}

/** The first Ctrl-C ends the run in order. A second one ends the process. */
class Ending {
  readonly #controller = new AbortController();
  readonly #given: AbortSignal | undefined;
  readonly #onInterrupt = () => {
    this.#controller.abort();
  };

  /** @param given ends the run in place of Ctrl-C. */
  constructor(given: AbortSignal | undefined) {
    this.#given = given;
  }

  get signal(): AbortSignal {
    return this.#given ?? this.#controller.signal;
  }

  /** From now on, Ctrl-C no longer ends the process at once. */
  begin(): void {
    if (this.#given === undefined) process.once('SIGINT', this.#onInterrupt);
  }

  end(): void {
    process.removeListener('SIGINT', this.#onInterrupt);
  }
}

/** Resolves when the wait is over, or when the run is ended meanwhile. An ended run waits in full. */
async function interruptible(given: Cli['wait'], ms: number, ending: AbortSignal): Promise<void> {
  if (ending.aborted) return given === undefined ? setTimeout(ms) : given(ms);
  const over = new AbortController();
  const onAbort = () => over.abort();
  ending.addEventListener('abort', onAbort, { once: true });
  try {
    const aborted = new Promise<void>((resolve) => over.signal.addEventListener('abort', () => resolve()));
    // The timer must end too: it would keep the process running.
    const timer = given?.(ms) ?? setTimeout(ms, undefined, { signal: over.signal }).catch(() => {});
    await Promise.race([timer, aborted]);
  } finally {
    ending.removeEventListener('abort', onAbort);
  }
}

/** Names the role that the sign-in lacks. The text of a hub names the roles of the app. */
function withRoles(error: unknown, host: HostName): unknown {
  if (error instanceof HubError && error.code === 'BERTH_HUB_UNAUTHORIZED') {
    return new BerthError(
      error.code,
      `${host} refused the call (${error.status ?? 'no status'}). Your sign-in needs the role "IoT Hub Data Contributor" on ${host}, or "IoT Hub Registry Contributor" and "IoT Hub Data Reader".`,
    );
  }
  if (error instanceof DpsError && error.code === 'BERTH_DPS_UNAUTHORIZED') {
    return new BerthError(
      error.code,
      `${error.message} Your sign-in needs the role "Device Provisioning Service Data Reader" on the DPS.`,
    );
  }
  return error;
}
