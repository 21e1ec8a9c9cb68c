import { hash } from 'node:crypto';
import type { HostName } from '../../iot-hub/host-name.ts';

/**
 * Weighted rendezvous hashing. Every hub gets a score for the device, scaled by its weight; the smallest wins.
 * A changed weight or an added hub moves only the devices that it must. Frozen by
 * `test/allocation/placement-vectors.json`: changing it would move whole fleets.
 */

export interface WeightedHub {
  readonly host: HostName;
  /** Above 0; the share of devices is proportional to it. */
  readonly weight: number;
  /** Hubs with less of it come first whatever their weights; absent: 0. */
  readonly behind?: number;
}

export interface ScoredHub<Hub extends WeightedHub = WeightedHub> {
  readonly hub: Hub;
  /** The smallest wins. */
  readonly score: number;
}

/** The score of every hub for one device. */
export function scoreHubs<Hub extends WeightedHub>(
  registrationId: string,
  salt: string,
  weighted: readonly Hub[],
): readonly ScoredHub<Hub>[] {
  const device = wordsOf(salt + registrationId.toLowerCase());
  return weighted.map((hub) => ({ hub, score: score(device, wordsOfHost(hub.host), hub.weight) }));
}

/** The winner; undefined where there is no hub. */
export function bestOf<Each extends ScoredHub>(scored: readonly Each[]): Each | undefined {
  return scored.reduce<Each | undefined>(
    (best, each) => (best === undefined || compareScores(each, best) < 0 ? each : best),
    undefined,
  );
}

const DIGITS = 12;
/** The powers of ten that a double holds exactly. */
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * What is compared of a score: 12 digits, so that machines with other mathematics libraries agree. The same as
 * `Number(score.toPrecision(12))`, which takes ten times as long.
 */
export function significant(score: number): number {
  const power = POWERS_OF_TEN[DIGITS - 1 - Math.floor(Math.log10(score))];
  if (power !== undefined) {
    const scaled = score * power;
    const whole = Math.round(scaled);
    // Scaling errs by less than 0.001; and a whole number over an exact power of ten is rounded once, and right.
    const isSure = Math.abs(scaled - whole) < 0.499;
    if (isSure && whole >= 1e11 && whole < 1e12) return whole / power;
  }
  return Number(score.toPrecision(DIGITS));
}

/** Two scores that differ by more than this part of themselves differ in their first 12 digits too. */
const SURELY_DIFFERENT = 1e-10;

/** Below 0: the left one comes before the right one. */
export function compareScores(left: ScoredHub, right: ScoredHub): number {
  const behind = (left.hub.behind ?? 0) - (right.hub.behind ?? 0);
  if (behind !== 0) return behind;
  const difference = left.score - right.score;
  if (Math.abs(difference) > SURELY_DIFFERENT * right.score) return difference;
  const rounded = significant(left.score) - significant(right.score);
  if (rounded !== 0) return rounded;
  return left.hub.host < right.hub.host ? -1 : left.hub.host > right.hub.host ? 1 : 0;
}

/** The first two little-endian uint32 of a SHA-256. */
type Words = readonly [number, number];

function score(device: Words, hub: Words, weight: number): number {
  const mixed = fmix32(fmix32(device[0] ^ hub[0]) ^ device[1] ^ hub[1]);
  const uniform = (mixed + 0.5) / 2 ** 32;
  return -Math.log(uniform) / weight;
}

/** The finaliser of murmur3 (32 bit), by Austin Appleby, public domain. */
function fmix32(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  return mixed >>> 0;
}

function wordsOf(text: string): Words {
  // Hexadecimal, because a buffer of its own takes longer to make than the hash.
  const digest = hash('sha256', text, 'hex');
  return [littleEndian(digest, 0), littleEndian(digest, 8)];
}

function littleEndian(digest: string, at: number): number {
  const bigEndian = Number.parseInt(digest.slice(at, at + 8), 16);
  return (
    ((bigEndian >>> 24) |
      ((bigEndian >>> 8) & 0xff00) |
      ((bigEndian << 8) & 0xff0000) |
      (bigEndian << 24)) >>>
    0
  );
}

/** A fleet has few hubs and each is scored for every device, so their words are computed once. */
const wordsOfHosts = new Map<HostName, Words>();

function wordsOfHost(host: HostName): Words {
  const known = wordsOfHosts.get(host);
  if (known !== undefined) return known;
  const words = wordsOf(host);
  wordsOfHosts.set(host, words);
  return words;
}
