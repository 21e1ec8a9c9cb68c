/**
 * Identity of an IoT hub: its short name and its cloud, written as the classic host name in lower case, such as
 * `contoso-weu.azure-devices.net`. Everything that compares, stores, hashes or budgets hubs uses it.
 */
export type HostName = string & { readonly brand: 'HostName' };

/**
 * Which host name of a hub a text is. `device` serves devices, `service` serves the service APIs, `classic` serves both
 * (Microsoft, iot-hub-devguide-endpoints, 2026-05). `other`: a host outside of the clouds that Berth knows, which has
 * this one name.
 */
export type HubNameKind = 'classic' | 'device' | 'service' | 'other';

/** One host name of a hub. */
export interface HubName {
  readonly host: HostName;
  readonly kind: HubNameKind;
  /** The name itself, in lower case. */
  readonly name: string;
}

/** Labels of letters, digits and hyphens with a dot between them, at most 253 characters (RFC 1123). */
export const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/;

/** The name of a hub inside of its cloud: at most 50 letters, digits and hyphens (Azure resource name rules). */
const SHORT_NAME = /^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$/;

/** The name of a hub, one of its kinds, and its cloud: public, China, US government. */
const HUB = /^([a-z0-9-]+)\.(?:(device|service)\.)?(azure-devices\.(?:net|cn|us))$/;

/** What stands where a text should be a host name and is none: such a text may be a secret, so it is never repeated. */
export const NOT_A_HOST_NAME = '(not a host name)' as HostName;

/** Reads a host name; undefined for a text that is none. This is the only parser of hub names. */
export function parseHubName(text: string): HubName | undefined {
  if (!HOST_NAME.test(text)) return undefined;
  const name = text.toLowerCase();
  const [, short, kind, cloud] = HUB.exec(name) ?? [];
  if (short === undefined) return { host: name as HostName, kind: 'other', name };
  return {
    host: `${short}.${cloud}` as HostName,
    kind: (kind as HubNameKind | undefined) ?? 'classic',
    name,
  };
}

/**
 * The identity of the hub that a host name means, whichever of its names it is and whatever the case. For texts that
 * were checked; a text that is no host name comes back in lower case.
 *
 * @example hostName('Contoso-WEU.device.azure-devices.net') // 'contoso-weu.azure-devices.net'
 */
export function hostName(text: string): HostName {
  return parseHubName(text)?.host ?? (text.toLowerCase() as HostName);
}

/** As `hostName`, for unchecked texts: `NOT_A_HOST_NAME` for one that is no host name. */
export function checkedHostName(text: string): HostName {
  return parseHubName(text)?.host ?? NOT_A_HOST_NAME;
}

export function isHostName(text: string): boolean {
  return HOST_NAME.test(text);
}

/**
 * The first label of the host name: how events name their hub (reference: `hubName` is the short name, not
 * the host).
 */
export function shortName(host: HostName): string {
  return host.split('.', 1)[0] ?? host;
}

/** What `hubName` of an event names: a hub's identity, a short name in lower case, or `NOT_A_HOST_NAME`. */
export function eventHubName(text: string): string {
  return SHORT_NAME.test(text) ? text.toLowerCase() : checkedHostName(text);
}

/** A text that should name a hub, for messages: quoted where it is a host name or a short name, else not repeated. */
export function shownHub(text: string): string {
  return SHORT_NAME.test(text) || isHostName(text)
    ? `"${text}"`
    : 'a text that is no host name (not repeated)';
}
