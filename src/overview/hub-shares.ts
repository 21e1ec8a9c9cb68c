import type { Conditions } from '../allocation/conditions.ts';
import { type ExpectedShare, expectedShares } from '../allocation/receipt/expected-shares.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { Stores } from '../store/stores.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/**
 * The expected shares of a fleet with more registrations are not computed: that would read all receipts. Use
 * `berth what-if --devices` for such a fleet.
 */
const MOST_EXPECTED = 500;

/** The expected share of a hub and its spread, from 0 to 1, for reports. Null: not known. */
export interface ReportedShare {
  readonly expected: number | null;
  readonly spread: number | null;
}

/**
 * The share of the devices that each hub can expect by weights, latencies and rules, from the receipts of the devices.
 *
 * @returns the share of a hub. Its parts are null if no device has registered, or more than 500
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function reportedShares(
  { receipts }: Pick<Stores, 'receipts'>,
  fleet: Fleet,
  conditions: Conditions,
  now: EpochMs,
): Promise<(host: HostName) => ReportedShare> {
  const shares = await sharesToExpect(receipts, fleet, conditions, now);
  return (host) => {
    const { expected, spread }: Partial<ExpectedShare> = shares?.get(host) ?? {};
    return { expected: expected ?? null, spread: spread ?? null };
  };
}

async function sharesToExpect(
  receipts: Stores['receipts'],
  fleet: Fleet,
  conditions: Conditions,
  now: EpochMs,
): Promise<ReadonlyMap<HostName, ExpectedShare> | undefined> {
  const counted = [...conditions.hubs.values()].reduce((sum, { devices }) => sum + (devices?.count ?? 0), 0);
  if (counted > MOST_EXPECTED) return undefined;
  const registrations = (await receipts.newest(MOST_EXPECTED))?.map(({ inputs }) => inputs);
  return registrations && expectedShares(registrations, fleet, conditions, now);
}
