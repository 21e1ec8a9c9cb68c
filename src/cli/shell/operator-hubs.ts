import type { Fleet } from '../../fleet/fleet.ts';
import { type HubConnectionOptions, hubEndpoints } from '../../hub/connection.ts';
import { openIotHubs } from '../../hub/iot-hubs.ts';
import { type Environment, iotEndpoint } from '../../settings/settings.ts';
import { requireOnePlace } from './environment.ts';

/**
 * The hubs of the fleet with the operator's own sign-in, for commands that do what the app has no right to. Where the
 * `connection` of a hub is set in this environment, that policy is used. Close it when the command ends.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` if the state is in Azure and the hubs are those of the local stack, or the reverse
 */
export function openHubsAsOperator(fleet: Fleet, env: Environment) {
  return openIotHubs(connectionAsOperator(fleet, env));
}

/** The endpoint of each hub of the fleet, with the same sign-in. */
export function endpointsAsOperator(fleet: Fleet, env: Environment): ReturnType<typeof hubEndpoints> {
  return hubEndpoints(connectionAsOperator(fleet, env));
}

function connectionAsOperator(fleet: Fleet, env: Environment): HubConnectionOptions {
  requireOnePlace(env);
  return {
    hub: (host) => {
      const hub = fleet.hubByHost.get(host);
      if (hub?.connection === undefined || env[hub.connection] !== undefined) return hub;
      return { ...hub, connection: undefined };
    },
    settings: env,
    clientId: undefined,
    isAzure: false,
    endpoint: () => iotEndpoint(env),
  };
}
