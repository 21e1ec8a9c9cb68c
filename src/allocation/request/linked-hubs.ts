import { type HostName, type HubNameKind, parseHubName } from '../../iot-hub/host-name.ts';

/** A hub that is linked to DPS. While a link is changed from one host name to another, both names are linked. */
export interface LinkedHub {
  readonly host: HostName;
  /** One of the hub's names exactly as in `linkedHubs`: what the answer must repeat. */
  readonly text: string;
  /** The hub's other linked names; absent: it has none. */
  readonly others?: readonly string[];
}

/** Devices use the device name where it is linked; no device connects by the service name. */
const PREFERENCE: readonly HubNameKind[] = ['device', 'classic', 'service', 'other'];

/**
 * Each hub of `linkedHubs` once, in their order. Its `text` is the name that the device had, if that is linked; else the
 * device name, if that is linked; else the name that is linked. What is no host name is left out.
 *
 * @param current the host name that the device had, in lower case.
 */
export function linkedHubsOf(texts: readonly string[], current: string | undefined): readonly LinkedHub[] {
  const hubs = new Map<HostName, ReadonlyMap<string, Name>>();
  for (const text of texts) {
    const parsed = parseHubName(text);
    if (parsed === undefined) continue;
    const { host, kind, name } = parsed;
    const rank = name === current ? -1 : PREFERENCE.indexOf(kind);
    hubs.set(host, new Map([...(hubs.get(host) ?? []), [name, { text, rank }]]));
  }
  return [...hubs].map(([host, names]) => {
    const [first, ...others] = [...names.values()].sort((left, right) => left.rank - right.rank);
    const text = first?.text ?? host;
    return others.length === 0 ? { host, text } : { host, text, others: others.map((other) => other.text) };
  });
}

interface Name {
  readonly text: string;
  /** The smallest is the one to answer with. */
  readonly rank: number;
}

/** Every name of the hubs, as they were offered. */
export function offeredNames(hubs: readonly LinkedHub[]): readonly string[] {
  return hubs.flatMap(({ text, others = [] }) => [text, ...others]);
}
