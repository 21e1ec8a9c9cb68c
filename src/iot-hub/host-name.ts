/**
 * Identity of an IoT hub: its short name and its cloud, written as the classic host name in lower case, such as
 * `contoso-weu.azure-devices.net`. Everything that compares, stores, hashes or budgets hubs uses it.
 */
export type HostName = string & { readonly brand: 'HostName' };

/**
 * The kinds of host names. `device` serves devices, `service` serves the service APIs, `classic` serves both (Microsoft,
 * iot-hub-devguide-endpoints, 2026-05). `other`: a host outside the clouds that Berth knows, with one name only.
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

/** The name of a hub inside its cloud: at most 50 letters, digits and hyphens (Azure resource name rules). */
const SHORT_NAME = /^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$/;

/**
 * The name of a hub, one of its kinds, and its cloud: public, China, US government. Each text of this form is a host name
 * too. The webhook reads many names, and `HOST_NAME` takes several times as long.
 */
const HUB =
  /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.(?:(device|service)\.)?(azure-devices\.(?:net|cn|us))$/i;

/** The classic name in lower case, which needs no change. Without groups, a test takes a third of the time of `HUB`. */
const CLASSIC = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.azure-devices\.net$/;

/** Replaces a text that should be a host name and is not. Such a text may be a secret, so Berth never repeats it. */
export const NOT_A_HOST_NAME = '(not a host name)' as HostName;

/** Reads a host name. Undefined for any other text. This is the only parser of hub names. */
export function parseHubName(text: string): HubName | undefined {
  // Nearly all names in requests have this form.
  if (CLASSIC.test(text)) return { host: text as HostName, kind: 'classic', name: text };
  const found = HUB.exec(text);
  if (found === null) {
    if (!HOST_NAME.test(text)) return undefined;
    const name = text.toLowerCase();
    return { host: name as HostName, kind: 'other', name };
  }
  const name = text.toLowerCase();
  const kind = found[2]?.toLowerCase() as HubNameKind | undefined;
  if (kind === undefined) return { host: name as HostName, kind: 'classic', name };
  return { host: `${found[1]}.${found[3]}`.toLowerCase() as HostName, kind, name };
}

/**
 * The identity of the hub that has this host name. The kind of the name and its case do not matter. Only for checked texts:
 * a text that is not a host name is returned in lower case.
 *
 * @example hostName('Contoso-WEU.device.azure-devices.net') // 'contoso-weu.azure-devices.net'
 */
export function hostName(text: string): HostName {
  return parseHubName(text)?.host ?? (text.toLowerCase() as HostName);
}

/** Like `hostName`, for unchecked texts: returns `NOT_A_HOST_NAME` for a text that is not a host name. */
export function checkedHostName(text: string): HostName {
  return parseHubName(text)?.host ?? NOT_A_HOST_NAME;
}

export function isHostName(text: string): boolean {
  return CLASSIC.test(text) || HUB.test(text) || HOST_NAME.test(text);
}

/**
 * The first label of the host name. Events name their hub so: their `hubName` is the short name.
 */
export function shortName(host: HostName): string {
  return host.split('.', 1)[0] ?? host;
}

/** The hub that `hubName` of an event names: an identity, a short name in lower case, or `NOT_A_HOST_NAME`. */
export function eventHubName(text: string): string {
  return SHORT_NAME.test(text) ? text.toLowerCase() : checkedHostName(text);
}

/** The text of a hub's name for messages: in quotes if it is a host name or short name, else not repeated. */
export function shownHub(text: string): string {
  return SHORT_NAME.test(text) || isHostName(text)
    ? `"${text}"`
    : 'a text that is no host name (not repeated)';
}
