import { type HubSize, twinUpdatesPerSecond } from '../../src/iot-hub/throttles.ts';

/** What a fleet of equal hubs has to write. */
export interface Change extends HubSize {
  /** Twins that need one write each. They are divided evenly. */
  readonly devices: number;
  readonly hubs: number;
  /** `budget.rate` of each hub in the fleet file. */
  readonly rate: number;
}

/** Twin updates that the fleet file allows Berth on one hub in a second. */
export function permittedPerSecond({ tier, units, rate }: Pick<Change, 'tier' | 'units' | 'rate'>): number {
  return twinUpdatesPerSecond({ tier, units }) * rate;
}

/**
 * The shortest time of the writes, in milliseconds: the twins of the fullest hub, divided by the twin updates a second that its
 * budget allows. Nothing else counts: no wait before the first write, no read, and not the daily quota.
 */
export function boundMs(change: Change): number {
  return (1_000 * Math.ceil(change.devices / change.hubs)) / permittedPerSecond(change);
}
