import type { ArmPort } from '../arm/port.ts';
import { parseResourceId, type ResourceId } from '../arm/resource-id.ts';
import { BerthError } from '../errors.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonObject } from '../json/json.ts';
import { AUTHORIZATION_API, DPS_API, HUB_API, otherVersions, RESOURCES_API } from './api-versions.ts';
import { type DpsPlan, planDps } from './dps-plan.ts';
import { type HubPlan, planHub } from './hub-plan.ts';
import { identitiesOf } from './identity.ts';
import type { Session } from './session.ts';
import { unknownFeatures } from './unknown-features.ts';
import { DPS_TYPE, HUB_TYPE, type WantedDps, type WantedHub } from './wanted.ts';

/** Azure Event Hubs Data Sender (azure-docs, built-in-roles). */
export const SENDER_ROLE = '2b629674-e913-4c01-ae53-ef4638d8f975';

/** A resource as Azure has it, and what to do with it. */
export interface Read<Plan> {
  readonly resource: JsonObject;
  readonly plan: Plan;
}

/**
 * Reads a hub and plans its changes. Undefined if there is no such hub.
 *
 * @throws ArmError, BerthError `BERTH_CONNECT_FEATURE_UNKNOWN`
 */
export async function readHub(session: Session, wanted: WantedHub): Promise<Read<HubPlan> | undefined> {
  const hub = await readResource(session, wanted.id, HUB_TYPE, HUB_API);
  if (hub === undefined) return undefined;
  const { principalId } = identitiesOf(hub);
  const isSender =
    wanted.sender.kind === 'system' &&
    principalId !== undefined &&
    (await maySend(session, wanted.eventHub.id, principalId));
  return { resource: hub, plan: planHub(hub, wanted, isSender) };
}

/**
 * Reads DPS and plans its changes. Undefined if there is no such DPS.
 *
 * @throws ArmError, BerthError `BERTH_CONNECT_FEATURE_UNKNOWN`
 */
export async function readDps(
  session: Session,
  wanted: WantedDps,
  unlink: readonly string[],
  withoutKeys: ReadonlySet<HostName>,
): Promise<Read<DpsPlan> | undefined> {
  const dps = await readResource(session, wanted.id, DPS_TYPE, DPS_API);
  return dps === undefined ? undefined : { resource: dps, plan: planDps(dps, wanted, unlink, withoutKeys) };
}

/** A resource in Berth's version of the API, after a look at it in others. */
async function readResource(
  session: Session,
  id: ResourceId,
  type: typeof HUB_TYPE | typeof DPS_TYPE,
  version: string,
): Promise<JsonObject | undefined> {
  const { arm, ignoredFeatures } = session;
  const resource = await arm.get(id, version);
  if (resource === undefined) return undefined;
  const provider = await session.provider(parseResourceId(id)?.subscription ?? '');
  for (const other of otherVersions(provider, type, version)) {
    const seen = (await arm.get(id, other)) ?? {};
    const unknown = unknownFeatures(resource, seen).filter((path) => !ignoredFeatures.includes(path));
    if (unknown.length > 0) throw featureUnknown(id, version, other, unknown);
  }
  return resource;
}

function featureUnknown(
  id: ResourceId,
  version: string,
  other: string,
  unknown: readonly string[],
): BerthError {
  return new BerthError(
    'BERTH_CONNECT_FEATURE_UNKNOWN',
    `${id} uses ${unknown.join(', ')}, which the API version ${version} of this package does not have: a write could remove it. Update Berth, or make the change in the portal. If Azure computes this value, so that a write cannot remove it, add --ignore-feature ${unknown[0]}.`,
    { details: unknown.map((path) => ({ path, message: `is in the API version ${other}` })) },
  );
}

/** Asks for the versions of the API once for each subscription. */
export function providerOnce(arm: ArmPort): Session['provider'] {
  const asked = new Map<string, Promise<JsonObject>>();
  return (subscription) => {
    const path = `/subscriptions/${subscription}/providers/Microsoft.Devices`;
    const found = asked.get(path) ?? arm.get(path, RESOURCES_API).then((provider) => provider ?? {});
    asked.set(path, found);
    return found;
  };
}

/** Whether a principal has the role to send to the Event Hub, there or above. */
async function maySend({ arm }: Session, eventHubId: ResourceId, principalId: string): Promise<boolean> {
  const assignments = await arm.list(
    `${eventHubId}/providers/Microsoft.Authorization/roleAssignments`,
    AUTHORIZATION_API,
    `$filter=${encodeURIComponent(`principalId eq '${principalId}'`)}`,
  );
  return assignments.some(({ properties }) =>
    String((properties as JsonObject | undefined)?.roleDefinitionId ?? '')
      .toLowerCase()
      .endsWith(SENDER_ROLE),
  );
}
