import type { HostName } from '../../iot-hub/host-name.ts';
import { littleEndian, sha256Bytes } from '../../json/hash.ts';

/**
 * A hub for weighted rendezvous hashing. Every hub gets a score for the device, scaled by its weight; the
 * smallest score wins. A changed weight or an added hub moves as few devices as possible.
 * `test/allocation/placement-vectors.json` fixes the results: a change would move whole fleets.
 */

export interface WeightedHub {
  readonly host: HostName;
  /** Above 0. The share of devices is proportional to the weight. */
  readonly weight: number;
  /** Hubs with a smaller value come first, whatever their weights. Default: 0. */
  readonly behind?: number;
}

export interface ScoredHub<Hub extends WeightedHub = WeightedHub> {
  readonly hub: Hub;
  /** The smallest score wins. */
  readonly score: number;
}

/** Computes the score of every hub for one device. */
export function scoreHubs<Hub extends WeightedHub>(
  registrationId: string,
  salt: string,
  weighted: readonly Hub[],
): readonly ScoredHub<Hub>[] {
  return scoresOf(deviceWords(registrationId, salt), weighted);
}

/** What the scores of a device are computed from. Several decisions on the same device can share it. */
export type DeviceWords = Words;

export function deviceWords(registrationId: string, salt: string): DeviceWords {
  return wordsOf(salt + registrationId.toLowerCase());
}

/** As `scoreHubs`. */
export function scoresOf<Hub extends WeightedHub>(
  device: DeviceWords,
  weighted: readonly Hub[],
): readonly ScoredHub<Hub>[] {
  return weighted.map((hub) => ({ hub, score: score(device, wordsOfHost(hub.host), hub.weight) }));
}

/** The hub with the best score; undefined without hubs. */
export function bestOf<Each extends ScoredHub>(scored: readonly Each[]): Each | undefined {
  return scored.reduce<Each | undefined>(
    (best, each) => (best === undefined || compareScores(each, best) < 0 ? each : best),
    undefined,
  );
}

const DIGITS = 12;
/** The powers of ten that a double represents exactly. */
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The part of a score that is compared: 12 digits, so that machines with different mathematics libraries
 * agree. Equal to `Number(score.toPrecision(12))`, which takes ten times as long.
 */
export function significant(score: number): number {
  const power = POWERS_OF_TEN[DIGITS - 1 - Math.floor(Math.log10(score))];
  if (power !== undefined) {
    const scaled = score * power;
    const whole = Math.round(scaled);
    // Scaling has an error below 0.001. Dividing a whole number by an exact power of ten rounds once,
    // correctly.
    const isSure = Math.abs(scaled - whole) < 0.499;
    if (isSure && whole >= 1e11 && whole < 1e12) return whole / power;
  }
  return Number(score.toPrecision(DIGITS));
}

/** Two scores with a larger relative difference also differ in their first 12 digits. */
const SURELY_DIFFERENT = 1e-10;

/** Compares two scores: below 0 if the left one is better. */
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
  const digest = sha256Bytes(text);
  return [littleEndian(digest, 0), littleEndian(digest, 4)];
}

/** A fleet has few hubs and scores each for every device, so Berth computes their words once. */
const wordsOfHosts = new Map<HostName, Words>();

function wordsOfHost(host: HostName): Words {
  const known = wordsOfHosts.get(host);
  if (known !== undefined) return known;
  const words = wordsOf(host);
  wordsOfHosts.set(host, words);
  return words;
}
