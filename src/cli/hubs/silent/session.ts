import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { conditionsOf, effectiveHub } from '../../../allocation/conditions.ts';
import { drainCause } from '../../../allocation/moves/moves.ts';
import { dpsPlace } from '../../../dps/connection.ts';
import { openDps } from '../../../dps/dps.ts';
import type { DpsPort } from '../../../dps/port.ts';
import { BerthError } from '../../../errors.ts';
import type { Fleet, Hub } from '../../../fleet/fleet.ts';
import { isDisabledOrDeleted } from '../../../hub/failure.ts';
import { openIdentityRegistry } from '../../../hub/identity-registry.ts';
import { HubError } from '../../../hub/port.ts';
import type { HubSize } from '../../../iot-hub/throttles.ts';
import type { HubDrain } from '../../../silent-devices/drain-choice.ts';
import { plus } from '../../../time/epoch-ms.ts';
import type { Cli } from '../../shell/cli.ts';
import { Ending } from '../../shell/ending.ts';
import { requireOnePlace } from '../../shell/environment.ts';
import { endpointsAsOperator, openHubsAsOperator } from '../../shell/operator-hubs.ts';
import { printable } from '../../shell/printable.ts';
import { fleetInForce, openState, type State } from '../../shell/state.ts';
import { tell } from '../../shell/terminal.ts';
import { hubOfDrain } from '../hub-of-drain.ts';
import { paceOf } from './pace.ts';
import { withRoles } from './roles.ts';
import type { DrainTools } from './tools.ts';

/** How long a command that was killed keeps others from working on the hub. */
const LEASE_MS = 2 * 60_000;
/** Renewed this often, so that a call that waits for its budget does not lose it. */
const RENEW_MS = 20_000;

/** For a hub that the fleet file no longer has: its size is not known. */
const SMALLEST: HubSize = { tier: 'S1', units: 1 };

/** A command that works on the identities of a hub, with everything that it opened. */
export interface DrainSession {
  readonly state: State;
  readonly fleet: Fleet;
  readonly dps: DpsPort;
  readonly tools: DrainTools;
  /** @throws BerthError `BERTH_DRAIN_RUNNING` */
  begin(): Promise<void>;
  /** The exit code of a run that Ctrl-C or another signal has ended. */
  endedCode(): number;
}

/**
 * Opens a hub that `hubOfDrain` finds, and its DPS, with the operator's own sign-in, and closes both afterwards.
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
  requireOnePlace(env);
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const host = await hubOfDrain(name, fleet, state);
  const ending = new Ending(cli.ending);
  const lease = state.disabledDevices.lease(host, randomUUID());
  let renewAt = now();
  const renew = async () => {
    if (now() < renewAt) return;
    if (await lease.take(now(), LEASE_MS)) {
      renewAt = plus(now(), RENEW_MS);
      return;
    }
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
    pace: paceOf(fleet.hubByHost.get(host) ?? SMALLEST, now, wait),
    async statusThere(there, deviceId) {
      if (!fleet.hubByHost.has(there)) return 'unknown';
      try {
        return await others.identityStatus({ host: there, deviceId, moduleId: undefined });
      } catch (error) {
        if (!(error instanceof HubError)) throw error;
        // The run goes on: only this hub, which the drain does not change, gives no answer.
        if (error.code === 'BERTH_HUB_UNAUTHORIZED' || isDisabledOrDeleted(error)) return 'unknown';
        throw error;
      }
    },
    waitMs,
    now,
    wait: (ms) => interruptible(cli.wait, ms, ending.signal),
    isEnding: () => ending.signal.aborted,
    renew,
    report: (line) => tell(terminal, printable(line)),
  };
  const begin = async () => {
    await renew();
    ending.begin();
  };
  try {
    return await work({ state, fleet, dps, tools, begin, endedCode: () => ending.exitCode });
  } catch (error) {
    throw error instanceof BerthError ? withRoles(error, host) : error;
  } finally {
    ending.end();
    await lease.release();
    await Promise.all([dps.close(), registry.close(), others.close()]);
  }
}

/**
 * The drain of a hub, as it is now.
 *
 * @throws BerthError `BERTH_HUB_NOT_DRAINING`, `BERTH_DRAIN_NOWHERE`
 */
export async function hubDrainOf({ state, tools }: DrainSession): Promise<HubDrain> {
  const { host, now } = tools;
  const fleet = await fleetInForce(state);
  const conditions = await state.conditions.read(now());
  const hub = fleet.hubs.find((each) => each.host === host);
  const stateOf = (each: Hub) => effectiveHub(each, conditionsOf(each.host, conditions), now()).state;
  if (hub === undefined) {
    throw new BerthError(
      'BERTH_HUB_NOT_DRAINING',
      `${host} is not in the fleet file, so it does not drain. To enable what an earlier run has disabled: berth hub drain ${host} --enable-again.`,
    );
  }
  const present = stateOf(hub);
  if (present !== 'draining') {
    throw new BerthError(
      'BERTH_HUB_NOT_DRAINING',
      `${host} is ${present}, not draining, so a device that registers again would stay. Start a drain first: berth hub set ${host} --state draining --reason TEXT --expires 7d.`,
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
