import * as z from 'zod';
import { BerthError } from '../errors.ts';
import { isObject, type JsonObject, type JsonValue, jsonOrUndefined, ownMember } from '../json/json.ts';

/** The output of the templates that says what hubs and DPS are connected with. */
export const CONNECTIONS_OUTPUT = 'BERTH_CONNECTIONS';

const id = z.string().regex(/^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/.+$/i);

const connections = z.object({
  resourceGroup: z.string().min(1),
  subscription: z.string().min(1),
  networkAccess: z.enum(['public', 'private']),
  dps: z.object({
    id,
    linkAuthentication: z.enum(['keys', 'identity']),
    /** Resource id of the identity that DPS signs in with; empty if it uses keys. */
    linkIdentityId: z.string(),
  }),
  stamps: z
    .array(
      z.object({
        /** Empty: the fleet has no stamps. */
        name: z.string(),
        eventHubId: id,
        /** `sb://NAME.servicebus.windows.net` */
        endpointUri: z.string().regex(/^sb:\/\/[^/]+$/),
        eventHubName: z.string().min(1),
        routingIdentityId: id,
      }),
    )
    .min(1),
});

/** What a deployment has made for hubs and DPS: `output BERTH_CONNECTIONS` of `infra/main.bicep`. */
export type DeployedConnections = z.output<typeof connections>;
export type StampConnection = DeployedConnections['stamps'][number];

/**
 * Reads the text of the output, as azd puts it into the environment.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function readConnections(text: string): DeployedConnections {
  const parsed = connections.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    `${CONNECTIONS_OUTPUT} is not the output of this name of a deployment: remove the setting, and set AZURE_RESOURCE_GROUP instead.`,
  );
}

/**
 * The connections of the newest successful deployment to a resource group.
 *
 * @param deployments as "Deployments - List At Subscription Scope" answers
 * @throws BerthError `BERTH_CONNECTIONS_UNKNOWN`
 */
export function connectionsIn(
  deployments: readonly JsonObject[],
  resourceGroup: string,
): DeployedConnections {
  const found = deployments
    .flatMap(({ properties }) => {
      const parsed = connections.safeParse(outputIn(ownMember(properties, 'outputs')));
      const isDone = ownMember(properties, 'provisioningState') === 'Succeeded';
      if (!parsed.success || !isDone) return [];
      return [{ at: String(ownMember(properties, 'timestamp') ?? ''), connections: parsed.data }];
    })
    .filter(({ connections: { resourceGroup: of } }) => of.toLowerCase() === resourceGroup.toLowerCase())
    .sort((one, other) => (one.at < other.at ? 1 : -1))[0];
  if (found !== undefined) return found.connections;
  throw new BerthError(
    'BERTH_CONNECTIONS_UNKNOWN',
    `No successful deployment of the subscription has the output ${CONNECTIONS_OUTPUT} for the resource group "${resourceGroup}": check AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP, and deploy infra/main.bicep first.`,
  );
}

/** Azure changes the case of the names of outputs: `bertH_CONNECTIONS` (azd, pkg/infra/provisioning/bicep). */
function outputIn(outputs: JsonValue | undefined): JsonValue | undefined {
  const [, output] =
    Object.entries(isObject(outputs) ? outputs : {}).find(
      ([name]) => name.toUpperCase() === CONNECTIONS_OUTPUT,
    ) ?? [];
  return ownMember(output, 'value');
}
