import { currentCauses } from '../../allocation/moves/moves.ts';
import { BerthError, type ErrorCode } from '../../errors.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { ConditionsStore } from '../../store/state/conditions-store.ts';
import { mustComeAgain } from '../../store/tables/newer-format.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';
import type { FleetLiveness } from './watch-liveness.ts';

/** The calls for conditions that a run of `resyncFleet` needs. */
export type RefreshedConditions = Pick<
  ConditionsStore,
  'read' | 'recordCount' | 'recordFailure' | 'recordCauses'
>;

/**
 * The shortest time between two questions for the number of devices, even if the timer is started by hand: at most 20 of the 100
 * identity operations a minute of one unit of S1 (IoT Hub quotas and throttling).
 */
const STATISTICS_EVERY_MS = 3_000;
/** The errors that make a hub unhealthy. Missing rights, a throttle and a used-up quota do not. */
const UNHEALTHY: ReadonlySet<ErrorCode> = new Set(['BERTH_HUB_TIMEOUT', 'BERTH_HUB_UNAVAILABLE']);

/**
 * Updates the conditions for allocation: devices and health of the hubs, and the start of the causes of moves.
 *
 * @param liveness tells which hubs have the identity of the heartbeat
 * @returns the hubs that said now that they have no devices
 */
export async function refreshConditions(
  { fleet, hosts, hubs, now, gate, warn }: SyncContext,
  conditions: RefreshedConditions,
  liveness: FleetLiveness,
): Promise<ReadonlySet<HostName>> {
  const known = await conditions.read(now());
  const withoutDevices = new Set<HostName>();
  const ask = async (host: HostName): Promise<void> => {
    const counted = known.hubs.get(host)?.devices?.countedAt ?? 0;
    if (now() - counted < STATISTICS_EVERY_MS) return;
    try {
      const devices = await hubs.countDevices(host);
      if (devices.kind !== 'answered') return;
      // The identity of the heartbeat is no device.
      const count = Math.max(0, devices.answer - (liveness.get(host)?.beats?.exists === true ? 1 : 0));
      if (count === 0) withoutDevices.add(host);
      await conditions.recordCount(host, count, now());
    } catch (error) {
      if (!(error instanceof BerthError) || mustComeAgain(error)) throw error;
      warn(error.message, { code: error.code, hub: host });
      if (UNHEALTHY.has(error.code)) await conditions.recordFailure(host);
    }
  };
  // All at once: hubs that do not answer delay the run by one deadline, however many they are.
  await Promise.all(hosts.map((host) => ask(host)));
  // An older package does not record causes. The packages would otherwise restart each other's moves.
  if (!(await gate.current()).isOutdated)
    await conditions.recordCauses(currentCauses(fleet, known, now()), known, now());
  return withoutDevices;
}
