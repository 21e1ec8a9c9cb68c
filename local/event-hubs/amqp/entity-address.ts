/** The entity in the address of a link. The paths are those of Azure's SDKs and are not case-sensitive. */
export type EntityAddress =
  | { readonly kind: 'management' }
  /** `hub`: a producer. The service chooses the partition. */
  | { readonly kind: 'hub'; readonly hub: string }
  /** `hub/Partitions/n`: a producer for one partition. */
  | { readonly kind: 'partition'; readonly hub: string; readonly partitionId: string }
  /** `hub/ConsumerGroups/group/Partitions/n`: a reader. */
  | {
      readonly kind: 'reader';
      readonly hub: string;
      readonly consumerGroup: string;
      readonly partitionId: string;
    }
  | { readonly kind: 'unknown' };

const UNKNOWN: EntityAddress = { kind: 'unknown' };

/**
 * Reads an address. The JavaScript SDK sends a path, .NET a path with a leading slash, other SDKs a whole URL.
 */
export function parseEntityAddress(address: unknown): EntityAddress {
  const [first, ...rest] = segments(address);
  if (first === undefined) return UNKNOWN;
  if (rest.length === 0) {
    if (first.toLowerCase() === '$management') return { kind: 'management' };
    return { kind: 'hub', hub: first };
  }
  const words = rest.map((segment) => segment.toLowerCase());
  const [, second, , fourth] = rest;
  if (words.length === 1 && words[0] === '$management') return { kind: 'management' };
  if (words.length === 2 && words[0] === 'partitions' && second !== undefined) {
    return { kind: 'partition', hub: first, partitionId: second };
  }
  if (words.length === 4 && words[0] === 'consumergroups' && words[2] === 'partitions') {
    return { kind: 'reader', hub: first, consumerGroup: second ?? '', partitionId: fourth ?? '' };
  }
  return UNKNOWN;
}

/** The event hub in the audience of a token; undefined for the whole namespace. */
export function hubOfAudience(audience: string): string | undefined {
  return segments(audience)[0];
}

/** The host names of IoT hubs and of DPS. */
export const IOT_HOSTS = /\.azure-devices(?:-provisioning)?\.(?:net|cn|us)$/;
/** The same in an audience, and their addresses: devices, cloud-to-device messages, feedback, registrations. */
const IOT_HOST = /^[a-z0-9.-]+\.azure-devices(?:-provisioning)?\.(?:net|cn|us)(?:$|[:/])/i;
const IOT_PATH = /^(?:devices\/|messages\/(?:devicebound|servicebound|events)|[^/]+\/registrations\/)/i;

/** Whether the address of a link or the audience of a token means an IoT hub or DPS, not Event Hubs. */
export function isOfIotHub(text: string): boolean {
  const bare = decode(text).replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  return IOT_HOST.test(bare) || IOT_PATH.test(segments(text).join('/'));
}

function segments(address: unknown): string[] {
  if (typeof address !== 'string') return [];
  const path = address.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '');
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decode);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
