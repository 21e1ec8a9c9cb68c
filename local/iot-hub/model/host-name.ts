/**
 * The host names of a hub: `classic` serves devices and services, `device` devices only, `service` services only
 * (iot-hub-devguide-endpoints, 2026-05). `other`: a host outside of Azure's clouds, which serves both.
 */
export type LocalHubNameKind = 'classic' | 'device' | 'service' | 'other';

export interface LocalHubName {
  /** The classic host name of the hub in lower case. It is the same for all names of one hub. */
  readonly hub: string;
  readonly kind: LocalHubNameKind;
}

const NEW_NAME = /^([^.]+)\.(device|service)\.(azure-devices\.(?:net|cn|us))$/;
const CLASSIC_NAME = /^[^.]+\.azure-devices\.(?:net|cn|us)$/;

/** Reads a host name of a hub, in any case. */
export function readHubName(host: string): LocalHubName {
  const name = host.toLowerCase();
  const [, short, kind, cloud] = NEW_NAME.exec(name) ?? [];
  if (kind === 'device' || kind === 'service') return { hub: `${short}.${cloud}`, kind };
  return { hub: name, kind: CLASSIC_NAME.test(name) ? 'classic' : 'other' };
}

export function isSameHub(left: string, right: string): boolean {
  return readHubName(left).hub === readHubName(right).hub;
}

/** The device name of a hub. A host outside of Azure's clouds has none, so its own name is returned. */
export function deviceNameOf(host: string): string {
  const { hub, kind } = readHubName(host);
  return kind === 'other' ? hub : hub.replace('.', '.device.');
}

/** Every host name of a hub. @example namesOf('weu.azure-devices.net') // and its device and its service name */
export function namesOf(host: string): readonly string[] {
  const { hub, kind } = readHubName(host);
  return kind === 'other'
    ? [hub]
    : [hub, ...['device', 'service'].map((each) => hub.replace('.', `.${each}.`))];
}
