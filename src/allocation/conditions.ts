import type { Hub } from '../fleet/fleet.ts';
import type { HubState } from '../fleet/hub-state.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { DPS_REGISTRATIONS_PER_MINUTE } from '../iot-hub/throttles.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/**
 * Inputs that change at run time. Every part may be missing: the fleet file alone then decides.
 */
export interface Conditions {
  /** When they were read from the state store; undefined: never. */
  readonly loadedAt: EpochMs | undefined;
  readonly hubs: ReadonlyMap<HostName, HubConditions>;
  /**
   * When each cause of moves was first seen, such as `drain:contoso-weu.azure-devices.net`. If nothing was loaded: the causes
   * whose moves count as complete, each with `EPOCH`.
   */
  readonly causes: ReadonlyMap<string, EpochMs>;
}

export interface HubConditions {
  readonly devices?: { readonly count: number; readonly countedAt: EpochMs };
  /** Failed statistics calls in a row. */
  readonly failures?: number;
  readonly overrides?: Overrides;
}

/** Overrides of an operator for a hub, each until it expires. */
export interface Overrides {
  readonly state?: Override<HubState>;
  readonly weight?: Override<number>;
}

export interface Override<Value> {
  readonly value: Value;
  readonly author: string;
  readonly reason: string;
  readonly expiresAt: EpochMs;
}

export const NO_CONDITIONS: Conditions = { loadedAt: undefined, hubs: new Map(), causes: new Map() };

/** The conditions of a hub; empty if nothing is known. */
export function conditionsOf(host: HostName, { hubs }: Conditions): HubConditions {
  return hubs.get(host) ?? NOTHING_KNOWN;
}

const NOTHING_KNOWN: HubConditions = {};

/** State and weight of a hub, with the overrides that have not expired. */
export function effectiveHub(
  hub: Hub,
  { overrides }: HubConditions,
  now: EpochMs,
): Pick<Hub, 'state' | 'weight'> {
  if (overrides === undefined) return hub;
  const { state, weight } = inForce(overrides, now);
  return { state: state?.value ?? hub.state, weight: weight?.value ?? hub.weight };
}

/** The overrides that have not expired. */
export function inForce({ state, weight }: Overrides, now: EpochMs): Overrides {
  return {
    ...(state === undefined || state.expiresAt <= now ? {} : { state }),
    ...(weight === undefined || weight.expiresAt <= now ? {} : { weight }),
  };
}

/** Failed statistics calls in a row that make a hub unhealthy. */
const UNHEALTHY_AFTER = 3;

export function isUnhealthy({ failures = 0 }: HubConditions): boolean {
  return failures >= UNHEALTHY_AFTER;
}

/** The largest margin for devices added since the last count, as a share of the capacity. */
const LARGEST_MARGIN = 0.02;

/**
 * Whether a hub is full, with a margin for devices that DPS may have added since the last count. A hub
 * without a count is not full.
 */
export function isFull(hub: Hub, { devices }: HubConditions, now: EpochMs): boolean {
  if (devices === undefined) return false;
  const ageMinutes = Math.max(0, now - devices.countedAt) / 60_000;
  const margin = Math.min(DPS_REGISTRATIONS_PER_MINUTE * ageMinutes, LARGEST_MARGIN * hub.capacity);
  return devices.count >= hub.capacity - margin;
}
