import { hubEndpoints } from '../../hub/connection.ts';
import { type PreparedHeartbeat, prepareHeartbeat } from '../../hub/heartbeat-identity.ts';
import { HEARTBEAT_DEVICE } from '../../iot-hub/heartbeat-device.ts';
import { iotEndpoint, isAzure } from '../../settings/settings.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { requireOnePlace } from '../shell/environment.ts';
import { type Given, requiredText } from '../shell/inputs.ts';
import { knownHub } from '../shell/known.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { tell } from '../shell/terminal.ts';

const INPUTS = {
  '<host>': requiredText('host name of the hub, such as contoso-weu.azure-devices.net'),
};

/** `berth hub prepare`: creates the identity of the heartbeat, with your own sign-in. */
export function registerHubPrepare(hub: CommandGroup): void {
  hub.command({
    name: 'prepare',
    description: `create the identity ${HEARTBEAT_DEVICE}, with which Berth sees whether the events of the hub arrive`,
    inputs: INPUTS,
    example: 'berth hub prepare contoso-weu.azure-devices.net',
    changes: true,
    run: prepareHub,
  });
}

async function prepareHub({ terminal, env }: Cli, { host: name }: Given<typeof INPUTS>): Promise<number> {
  requireOnePlace(env);
  const fleet = await fleetInForce(openState(env));
  const hosts = fleet.hubs.map(({ host }) => host);
  const host = knownHub(name, hosts, 'The fleet file in force');
  const endpoint = hubEndpoints({
    hub: (each) => {
      const known = fleet.hubByHost.get(each);
      // The policy of the app may not create identities. The command uses the sign-in of the operator.
      return known && { ...known, connection: undefined };
    },
    settings: env,
    clientId: undefined,
    isAzure: isAzure(env),
    endpoint: () => iotEndpoint(env),
  })(host);
  const prepared = await prepareHeartbeat(endpoint);
  tell(terminal, TEXTS[prepared](host));
  return prepared === 'disabled' ? 1 : 0;
}

const TEXTS: Readonly<Record<PreparedHeartbeat, (host: string) => string>> = {
  created: (host) =>
    `${host} has the identity ${HEARTBEAT_DEVICE} now. resyncFleet writes a heartbeat when no twin change event came for ten minutes.`,
  exists: (host) => `${host} has the identity ${HEARTBEAT_DEVICE} already. Nothing was changed.`,
  disabled: (host) =>
    `${host} has the identity ${HEARTBEAT_DEVICE}, but it is disabled. Enable it: az iot hub device-identity update --hub-name ${host.split('.')[0]} --device-id ${HEARTBEAT_DEVICE} --set status=enabled`,
};
