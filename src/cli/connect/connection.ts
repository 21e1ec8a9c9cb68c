import { setTimeout as timer } from 'node:timers/promises';
import { openArm } from '../../arm/arm.ts';
import { armPlace } from '../../arm/connection.ts';
import type { ArmPort } from '../../arm/port.ts';
import { RESOURCES_API } from '../../connect/api-versions.ts';
import {
  CONNECTIONS_OUTPUT,
  connectionsIn,
  type DeployedConnections,
  readConnections,
} from '../../connect/connections.ts';
import { providerOnce } from '../../connect/read.ts';
import type { Session } from '../../connect/session.ts';
import { type WantedDps, type WantedHubs, wantedDps, wantedHubs } from '../../connect/wanted.ts';
import { BerthError } from '../../errors.ts';
import type { Environment } from '../../settings/settings.ts';
import type { Cli } from '../shell/cli.ts';
import { chosenFleetFile, readFleetFile } from '../shell/files.ts';
import { FLEET_FILE, list } from '../shell/inputs.ts';
import { tell } from '../shell/terminal.ts';

/** The inputs of the commands of `berth connect`. */
export const CONNECT_INPUTS = {
  '--fleet <file>': FLEET_FILE,
  '--unlink <host>': list('also remove this link of DPS, by its host name; may be repeated'),
  '--ignore-feature <path>': list(
    'write although the newest API of Azure has this member and the one of this package does not; may be repeated',
  ),
};

/** What a command of `berth connect` works with. */
export interface Connecting extends WantedHubs {
  readonly session: Session;
  readonly dps: WantedDps;
}

/**
 * Runs a command with what the fleet file wants and the deployment has made.
 *
 * @throws BerthError, ArmError
 */
export async function withConnections(
  cli: Cli,
  options: {
    readonly fleet: string | undefined;
    readonly ignoreFeature: readonly string[];
    readonly patienceMs: number;
  },
  run: (connecting: Connecting) => Promise<number>,
): Promise<number> {
  const { env, now, terminal, wait = (ms) => timer(ms) } = cli;
  const { fleet } = readFleetFile(chosenFleetFile(options.fleet, env));
  const place = armPlace(env);
  const arm = openArm(place);
  try {
    const connections = await readDeployment(env, arm, place.subscription);
    const wanted = wantedHubs(fleet.file.hubs, connections);
    const session: Session = {
      arm,
      provider: providerOnce(arm),
      now,
      wait,
      patienceMs: options.patienceMs,
      ignoredFeatures: options.ignoreFeature,
      onWaiting: (line) => tell(terminal, line),
    };
    return await run({ ...wanted, session, dps: wantedDps(connections, wanted.hubs) });
  } finally {
    await arm.close();
  }
}

/** The connections that azd has put into the environment, else those of the newest deployment to the resource group. */
async function readDeployment(
  env: Environment,
  arm: ArmPort,
  subscription: string,
): Promise<DeployedConnections> {
  const text = env[CONNECTIONS_OUTPUT];
  if (text) return readConnections(text);
  const resourceGroup = env.AZURE_RESOURCE_GROUP;
  if (!resourceGroup) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'AZURE_RESOURCE_GROUP is not set: set it to the resource group of the deployment, such as rg-berth-prod.',
    );
  }
  const deployments = await arm.list(
    `/subscriptions/${subscription}/providers/Microsoft.Resources/deployments`,
    RESOURCES_API,
    `$filter=${encodeURIComponent("provisioningState eq 'Succeeded'")}`,
  );
  return connectionsIn(deployments, resourceGroup);
}
