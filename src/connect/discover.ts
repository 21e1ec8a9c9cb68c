import { ArmError, type ArmPort } from '../arm/port.ts';
import { BerthError } from '../errors.ts';
import { type JsonObject, ownMember } from '../json/json.ts';
import { type AdoptedHubs, adoptedHubs, hubsNotIn } from './adopt.ts';
import { DPS_API, HUB_API } from './api-versions.ts';

/** Subscriptions (azure-rest-api-specs, resources, subscriptions 2022-12-01). */
const SUBSCRIPTIONS_API = '2022-12-01';

/** A DPS with its hubs. */
export interface Discovered extends AdoptedHubs {
  readonly dps: JsonObject;
}

/**
 * Finds a DPS of a subscription, and the hubs that it is linked with, in this subscription and in all others that the
 * sign-in may read.
 *
 * @param name the DPS; undefined: the only one
 * @throws ArmError, BerthError `BERTH_ARGUMENT_INVALID` if the name does not decide
 */
export async function discover(
  arm: ArmPort,
  subscription: string,
  name: string | undefined,
): Promise<Discovered> {
  const dps = await findDps(arm, subscription, name);
  let hubs = await hubsIn(arm, subscription);
  if (hubsNotIn(dps, hubs).length > 0) {
    for (const other of await otherSubscriptions(arm, subscription)) {
      hubs = [...hubs, ...(await hubsIn(arm, other).catch(noneIfForbidden))];
      if (hubsNotIn(dps, hubs).length === 0) break;
    }
  }
  return { dps, ...adoptedHubs(dps, hubs) };
}

async function findDps(arm: ArmPort, subscription: string, name: string | undefined): Promise<JsonObject> {
  const all = await arm.list(
    `/subscriptions/${subscription}/providers/Microsoft.Devices/provisioningServices`,
    DPS_API,
  );
  const named = all.filter(
    (dps) => name === undefined || String(dps.name).toLowerCase() === name.toLowerCase(),
  );
  const [found, ...others] = named;
  if (found !== undefined && others.length === 0) return found;
  const names = all.map((dps) => String(dps.name)).join(', ');
  if (all.length === 0) {
    throw new ArmError(
      'BERTH_AZURE_NOT_FOUND',
      `The subscription ${subscription} has no DPS that this sign-in can read: check AZURE_SUBSCRIPTION_ID.`,
    );
  }
  throw new BerthError(
    'BERTH_ARGUMENT_INVALID',
    name === undefined
      ? `The subscription has ${all.length} DPS: choose one with --dps, one of ${names}.`
      : `--dps is "${name}", and the subscription has ${names}: write one of these.`,
  );
}

function hubsIn(arm: ArmPort, subscription: string): Promise<readonly JsonObject[]> {
  return arm.list(`/subscriptions/${subscription}/providers/Microsoft.Devices/IotHubs`, HUB_API);
}

async function otherSubscriptions(arm: ArmPort, subscription: string): Promise<readonly string[]> {
  const all = await arm.list('/subscriptions', SUBSCRIPTIONS_API);
  return all
    .map((each) => String(ownMember(each, 'subscriptionId') ?? ''))
    .filter((id) => id !== '' && id.toLowerCase() !== subscription.toLowerCase());
}

/** Hubs of a subscription that the sign-in may not read are named as missing later. */
function noneIfForbidden(error: unknown): readonly JsonObject[] {
  if (error instanceof ArmError && error.status === 403) return [];
  throw error;
}
