import { type HostName, type HubNameKind, isHostName, parseHubName } from '../../iot-hub/host-name.ts';
import { rememberingLast } from './remembering-last.ts';

/** A hub that is linked to DPS. While an operator changes the host name of a link, both names are linked. */
export interface LinkedHub {
  readonly host: HostName;
  /** The host name for the answer, exactly as in `linkedHubs`. */
  readonly text: string;
  /** Further linked host names of the hub; absent if there are none. */
  readonly others?: readonly string[];
}

/** Devices should get the device name if it is linked. No device connects by the service name. */
const PREFERENCE: readonly HubNameKind[] = ['device', 'classic', 'service', 'other'];

/**
 * Each hub of `linkedHubs` once, in the same order. Its `text` is the current host name of the device if that
 * is linked, else the device name if that is linked, else the linked name. Texts that are not host names are
 * left out.
 *
 * @param current the current host name of the device, in lower case.
 */
export function linkedHubsOf(texts: readonly string[], current: string | undefined): readonly LinkedHub[] {
  return withOneName(texts) ?? withSeveralNames(texts, current);
}

/** `linkedHubsOf` for hubs with one linked name each, as nearly always. Undefined: a hub has several. */
const withOneName = rememberingLast((texts): readonly LinkedHub[] | undefined => {
  const linked: LinkedHub[] = [];
  const hosts = new Set<HostName>();
  for (const text of texts) {
    const host = parseHubName(text)?.host;
    if (host === undefined) continue;
    if (hosts.has(host)) return undefined;
    hosts.add(host);
    linked.push({ host, text });
  }
  return linked;
});

/** The number of texts that are not host names. */
export function unreadableIn(texts: readonly string[]): number | undefined {
  const unreadable = texts.filter((text) => !isHostName(text)).length;
  return unreadable === 0 ? undefined : unreadable;
}

/** `linkedHubsOf` for hubs with several linked names. */
function withSeveralNames(texts: readonly string[], current: string | undefined): readonly LinkedHub[] {
  const hubs = new Map<HostName, Name[]>();
  for (const text of texts) {
    const parsed = parseHubName(text);
    if (parsed === undefined) continue;
    const { host, kind, name } = parsed;
    const names = hubs.get(host) ?? [];
    if (names.length === 0) hubs.set(host, names);
    const rank = name === current ? -1 : PREFERENCE.indexOf(kind);
    const repeated = names.findIndex((other) => other.name === name);
    // Of one name in two cases, the last counts, in the place of the first.
    names.splice(repeated < 0 ? names.length : repeated, repeated < 0 ? 0 : 1, { name, text, rank });
  }
  const linked: LinkedHub[] = [];
  for (const [host, names] of hubs) {
    if (names.length > 1) names.sort((left, right) => left.rank - right.rank);
    const [first, ...others] = names;
    const text = first?.text ?? host;
    linked.push(
      others.length === 0 ? { host, text } : { host, text, others: others.map((other) => other.text) },
    );
  }
  return linked;
}

interface Name {
  /** In lower case. */
  readonly name: string;
  readonly text: string;
  /** The name with the smallest rank goes into the answer. */
  readonly rank: number;
}

/** Every linked host name of the hubs, as in the request. */
export function offeredNames(hubs: readonly LinkedHub[]): readonly string[] {
  const names: string[] = [];
  for (const { text, others } of hubs) {
    names.push(text);
    if (others !== undefined) names.push(...others);
  }
  return names;
}
