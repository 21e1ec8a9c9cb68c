import { DPS_HOST, ID_SCOPE } from '../enrollments.ts';
import { BUILT_IN_ENDPOINT, HUB_ROUTING, type HubSettings, type LocalRouting } from '../iot-hub/index.ts';
import { type LocalPlan, NEW_BUILT_IN_ENDPOINT, type PlannedHub, USUAL_PARTITIONS } from './local-plan.ts';

/** The Event Hub and consumer group that `local.settings.json` names. */
export const EVENT_HUB = 'twin-events';
export const CONSUMER_GROUP = 'berth';

/** The name of the endpoint of Berth in a hub. */
const ENDPOINT = 'berth-twin-events';

/** The routing of the hubs of Berth. A test compares it with the one that `infra/` and `berth connect` give a hub. */
export const BERTH_ROUTING: LocalRouting = HUB_ROUTING.parse({
  endpoints: { eventHubs: [{ name: ENDPOINT, entityPath: EVENT_HUB }] },
  routes: [
    { name: 'berth-twin-changes', source: 'TwinChangeEvents', endpointNames: [ENDPOINT] },
    { name: 'berth-device-lifecycle', source: 'DeviceLifecycleEvents', endpointNames: [ENDPOINT] },
  ],
  fallbackRoute: { endpointNames: [BUILT_IN_ENDPOINT] },
});

/** What `npm start` runs: the hubs of the fleet file, with the routing of Berth. */
export function berthPlan(hubs: readonly (HubSettings & Pick<PlannedHub, 'region'>)[]): LocalPlan {
  return {
    hubs: hubs.map(({ host, tier, units, region }) => ({
      host,
      ...(region === undefined ? {} : { region }),
      tier,
      units,
      builtInEndpoint: NEW_BUILT_IN_ENDPOINT,
      routing: BERTH_ROUTING,
    })),
    eventHubs: [{ name: EVENT_HUB, partitionCount: USUAL_PARTITIONS, consumerGroups: [CONSUMER_GROUP] }],
    dps: { idScope: ID_SCOPE, host: DPS_HOST, linkedHubs: hubs.map(({ host }) => host), groups: [] },
    ports: {},
  };
}
