import { parseResourceId } from '../arm/resource-id.ts';
import type { ErrorDetail } from '../errors.ts';
import { checkedHostName, type HostName } from '../iot-hub/host-name.ts';
import { isTier, TIERS } from '../iot-hub/throttles.ts';
import { type JsonObject, ownMember } from '../json/json.ts';
import { linksOf } from './dps-plan.ts';
import { regionOf, sizeOf } from './hub-plan.ts';

/** The hubs that a DPS is linked with, as entries of a fleet file. */
export interface AdoptedHubs {
  /** Entries of `hubs`, in the order of the links. */
  readonly hubs: readonly JsonObject[];
  /** Links without an entry, and why. The path is the host name. */
  readonly notes: readonly ErrorDetail[];
}

/** The identities of the linked hubs that are not among these hubs. */
export function hubsNotIn(dps: JsonObject, hubs: readonly JsonObject[]): readonly HostName[] {
  const found = new Set(hubs.map(identityOf));
  return [...new Set(linksOf(dps).map(({ hub }) => hub))].filter((hub) => !found.has(hub));
}

/**
 * The entries of a fleet file for the hubs of a DPS: host, region, tier, units and place, as Azure has them.
 *
 * @param dps the resource, as Azure answers it
 * @param hubs the resources that were found. Those that are not linked are left out.
 */
export function adoptedHubs(dps: JsonObject, hubs: readonly JsonObject[]): AdoptedHubs {
  const byIdentity = new Map(hubs.map((hub) => [identityOf(hub), hub]));
  const linked = [...new Set(linksOf(dps).map(({ hub }) => hub))];
  const entries = linked.map((host) => ({ host, entry: entryOf(host, byIdentity.get(host)) }));
  return {
    hubs: entries.flatMap(({ entry }) => (typeof entry === 'string' ? [] : [entry])),
    notes: entries.flatMap(({ host, entry }) =>
      typeof entry === 'string' ? [{ path: host, message: entry }] : [],
    ),
  };
}

function identityOf({ properties }: JsonObject): HostName {
  return checkedHostName(String(ownMember(properties, 'hostName') ?? ''));
}

/** An entry of the fleet file, or why there is none. */
function entryOf(host: HostName, hub: JsonObject | undefined): JsonObject | string {
  if (hub === undefined) {
    return 'is linked, and this sign-in cannot read it: add it to hubs with its tier, units, region and azure';
  }
  const { tier, units } = sizeOf(hub);
  if (!isTier(tier)) {
    return `has the tier ${tier}, and Berth takes ${TIERS.join(', ')}: basic tiers have no device twins. Left out`;
  }
  const place = parseResourceId(String(hub.id ?? ''));
  if (place === undefined) return 'has no resource id: left out';
  return {
    host,
    region: regionOf(hub),
    tier,
    ...(units !== 1 && { units }),
    azure: { subscription: place.subscription, resourceGroup: place.resourceGroup },
  };
}
