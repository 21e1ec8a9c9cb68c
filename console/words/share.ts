/** Shares of devices, as parts from 0 to 1. */
export interface ShareBand {
  readonly low: number;
  readonly high: number;
}

/**
 * The shares that chance alone makes likely (two times in three): the share by weight ± one standard deviation of a binomial
 * count. Undefined where there are no devices.
 */
export function shareBand(wanted: number, devices: number): ShareBand | undefined {
  if (devices <= 0) return undefined;
  const deviation = Math.sqrt((wanted * (1 - wanted)) / devices);
  return { low: Math.max(0, wanted - deviation), high: Math.min(1, wanted + deviation) };
}
