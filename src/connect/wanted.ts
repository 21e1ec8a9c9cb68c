import { type ResourceId, resourceId } from '../arm/resource-id.ts';
import type { HubFile } from '../fleet/schema.ts';
import { type HostName, hostName, shortName } from '../iot-hub/host-name.ts';
import type { Tier } from '../iot-hub/throttles.ts';
import type { DeployedConnections, StampConnection } from './connections.ts';

export const HUB_TYPE = 'Microsoft.Devices/IotHubs';
export const DPS_TYPE = 'Microsoft.Devices/provisioningServices';

/** The identity with which a hub sends to the Event Hub. */
export type Sender =
  | { readonly kind: 'system' }
  | { readonly kind: 'userAssigned'; readonly identityId: string };

/** What a hub must have. */
export interface WantedHub {
  readonly host: HostName;
  readonly id: ResourceId;
  /** True if the templates created the hub. Only then Berth changes its tier and units. */
  readonly isManaged: boolean;
  readonly tier: Tier;
  readonly units: number;
  readonly region: string;
  readonly sender: Sender;
  readonly eventHub: {
    readonly id: ResourceId;
    /** `sb://NAME.servicebus.windows.net` */
    readonly endpointUri: string;
    readonly name: string;
  };
}

/** What DPS must have. */
export interface WantedDps {
  readonly id: ResourceId;
  readonly link:
    | { readonly kind: 'keys' }
    | {
        readonly kind: 'identity';
        /** Resource id of the user-assigned identity. */
        readonly identityId: string;
      };
  readonly hubs: readonly WantedHub[];
}

/** The hubs of a fleet file, with what the deployment made for them. */
export interface WantedHubs {
  readonly hubs: readonly WantedHub[];
  /** Hubs whose stamp the deployment does not have, with the reason. */
  readonly notDeployed: readonly { readonly host: HostName; readonly why: string }[];
}

/** What each hub of a fleet file must have, by the connections of a deployment. */
export function wantedHubs(hubs: readonly HubFile[], connections: DeployedConnections): WantedHubs {
  const found = hubs.map((hub) => ({ hub, place: placeOf(hub, connections) }));
  return {
    hubs: found.flatMap(({ hub, place }) =>
      place === undefined ? [] : [wantedHub(hub, place, connections)],
    ),
    notDeployed: found.flatMap(({ hub: { host, stamp }, place }) =>
      place === undefined
        ? [
            {
              host: hostName(host),
              why: `is of ${stamp === undefined ? 'no stamp' : `the stamp "${stamp}"`}, and the deployment has ${stampsText(connections)}: deploy the infrastructure with this fleet file first`,
            },
          ]
        : [],
    ),
  };
}

function placeOf({ stamp = '' }: HubFile, { stamps }: DeployedConnections): StampConnection | undefined {
  return stamps.find(({ name }) => name === stamp);
}

function wantedHub(
  { host, tier, units, region, azure }: HubFile,
  place: StampConnection,
  { networkAccess, subscription, resourceGroup }: DeployedConnections,
): WantedHub {
  const identity = hostName(host);
  return {
    host: identity,
    id: resourceId(azure ?? { subscription, resourceGroup }, HUB_TYPE, shortName(identity)),
    isManaged: azure === undefined,
    tier,
    units,
    region,
    // Only the hub's own identity passes the firewall of the Event Hub, as a trusted service.
    sender:
      networkAccess === 'private'
        ? { kind: 'system' }
        : { kind: 'userAssigned', identityId: place.routingIdentityId },
    eventHub: {
      id: place.eventHubId as ResourceId,
      endpointUri: place.endpointUri,
      name: place.eventHubName,
    },
  };
}

export function wantedDps({ dps }: DeployedConnections, hubs: readonly WantedHub[]): WantedDps {
  return {
    id: dps.id as ResourceId,
    link:
      dps.linkAuthentication === 'keys'
        ? { kind: 'keys' }
        : { kind: 'identity', identityId: dps.linkIdentityId },
    hubs,
  };
}

function stampsText({ stamps }: DeployedConnections): string {
  const names = stamps.map(({ name }) => name).filter((name) => name !== '');
  return names.length === 0 ? 'no stamps' : `the stamps ${names.join(', ')}`;
}
