import { createHash } from 'node:crypto';
import type { HostName } from '../fleet/host-name.ts';

/**
 * Weighted rendezvous hashing. Every hub draws a lot for the device, scaled by its weight; the smallest wins.
 * A changed weight or an added hub moves only the devices that it must. Frozen by
 * `test/allocation/placement-vectors.json`: changing it would move whole fleets.
 */

export interface Contender {
  readonly host: HostName;
  /** Above 0; the share of devices is proportional to it. */
  readonly weight: number;
}

export interface Scored<Hub extends Contender> {
  readonly hub: Hub;
  /**
   * The smallest wins; 12 significant digits, so that two machines with other mathematics libraries agree.
   */
  readonly score: number;
}

/** Ranks the contenders for one device, the winner first. Equal scores go by host name. */
export function rank<Hub extends Contender>(
  registrationId: string,
  salt: string,
  contenders: readonly Hub[],
): readonly Scored<Hub>[] {
  const device = twoWords(salt + registrationId.toLowerCase());
  return contenders
    .map((hub) => ({ hub, score: score(device, hostWords(hub.host), hub.weight) }))
    .sort(
      (left, right) =>
        left.score - right.score ||
        (left.hub.host < right.hub.host ? -1 : left.hub.host > right.hub.host ? 1 : 0),
    );
}

type Words = readonly [number, number];

function score(device: Words, hub: Words, weight: number): number {
  const mixed = fmix32(fmix32(device[0] ^ hub[0]) ^ device[1] ^ hub[1]);
  const uniform = (mixed + 0.5) / 2 ** 32;
  return Number((-Math.log(uniform) / weight).toPrecision(12));
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

function twoWords(text: string): Words {
  const digest = createHash('sha256').update(text, 'utf8').digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

/** A fleet has few hubs and each is drawn for every device, so their words are computed once. */
const wordsOfHosts = new Map<HostName, Words>();

function hostWords(host: HostName): Words {
  const known = wordsOfHosts.get(host);
  if (known !== undefined) return known;
  const words = twoWords(host);
  wordsOfHosts.set(host, words);
  return words;
}
