import type { HubStatus } from '../api/contract.ts';
import { shareText } from './format.ts';

/** The share of devices that a hub should have, with the shares that chance makes likely. Parts from 0 to 1. */
export interface Target {
  readonly share: number;
  /** One standard deviation; undefined: without devices. */
  readonly spread: number | undefined;
  /** What the target follows from. Latencies and rules are known for at most 500 devices. */
  readonly follows: 'weights, latencies and rules' | 'weights alone';
}

/**
 * The expected share where Berth knows it. Otherwise the share by weight, with the standard deviation of a binomial count.
 *
 * @param devices on all hubs
 */
export function targetOf({ wanted, expected, spread }: HubStatus['share'], devices: number): Target {
  if (expected !== null && spread !== null)
    return { share: expected, spread, follows: 'weights, latencies and rules' };
  const deviation = devices <= 0 ? undefined : Math.sqrt((wanted * (1 - wanted)) / devices);
  return { share: wanted, spread: deviation, follows: 'weights alone' };
}

/** The shares that chance alone makes likely (two times in three); undefined: not known. */
export function bandOf({
  share,
  spread,
}: Target): { readonly low: number; readonly high: number } | undefined {
  if (spread === undefined) return undefined;
  return { low: Math.max(0, share - spread), high: Math.min(1, share + spread) };
}

/** `33 ± 11 %` */
export function targetText({ share, spread }: Target): string {
  if (spread === undefined) return shareText(share);
  const digits = share > 0 && share < 0.1 ? 1 : 0;
  return `${(share * 100).toFixed(digits)} ± ${(spread * 100).toFixed(digits)} %`;
}
