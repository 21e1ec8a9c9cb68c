import type { JsonObject, JsonValue } from '../json/json.ts';
import { isObject } from '../json/json.ts';
import { type DpsChange, linkName } from './dps-plan.ts';
import { withIdentity } from './identity.ts';
import { objectsIn } from './routing.ts';
import type { WantedDps, WantedHub } from './wanted.ts';

/** A policy of a hub with its key. */
export interface HubPolicy {
  readonly name: string;
  readonly key: string;
}

/**
 * The body of the write that carries out changes: DPS as Azure answered it, with the changes and nothing else. Links that
 * do not change go back with masked keys (`****`), as the clients of Microsoft send them; Azure then keeps the keys.
 *
 * @param policyOf the policy with which DPS signs in to a hub. It holds a secret.
 */
export function changedDps(
  dps: JsonObject,
  changes: readonly DpsChange[],
  wanted: WantedDps,
  policyOf: (hub: WantedHub) => HubPolicy,
): JsonObject {
  return changes.reduce((body, change) => changed(body, change, wanted, policyOf), dps);
}

function changed(
  dps: JsonObject,
  change: DpsChange,
  { link }: WantedDps,
  policyOf: (hub: WantedHub) => HubPolicy,
): JsonObject {
  switch (change.kind) {
    case 'addIdentity':
      return {
        ...dps,
        identity: withIdentity(dps, { kind: 'userAssigned', identityId: change.identityId }),
      };
    case 'link': {
      const { hub } = change;
      const signIn =
        link.kind === 'keys'
          ? byKey(hub.host, policyOf(hub))
          : { hostName: hub.host, ...byIdentity(link.identityId) };
      return withLinks(dps, (links) => [...links, { location: hub.region, ...signIn }]);
    }
    case 'signInByIdentity': {
      const { name } = change.link;
      if (link.kind !== 'identity') return dps;
      // Without `hostName`, DPS refuses the change of an older link (400309, Azure/azure-iot-cli-extension#878).
      return inLink(dps, name, ({ connectionString: _, ...rest }) => ({
        ...rest,
        hostName: name,
        ...byIdentity(link.identityId),
      }));
    }
    case 'refreshKey': {
      const { hub, link: found } = change;
      return inLink(dps, found.name, (each) => ({ ...each, ...byKey(found.name, policyOf(hub)) }));
    }
    case 'unlink':
      return withLinks(dps, (links) => links.filter((each) => linkName(each) !== change.name));
  }
}

/** The host name must be the one of the link: DPS refuses another one (400309). */
function byKey(host: string, { name, key }: HubPolicy): JsonObject {
  return { connectionString: `HostName=${host};SharedAccessKeyName=${name};SharedAccessKey=${key}` };
}

function byIdentity(identityId: string): JsonObject {
  return { authenticationType: 'UserAssigned', selectedUserAssignedIdentityResourceId: identityId };
}

function inLink(dps: JsonObject, name: string, change: (link: JsonObject) => JsonObject): JsonObject {
  return withLinks(dps, (links) => links.map((each) => (linkName(each) === name ? change(each) : each)));
}

function withLinks(
  dps: JsonObject,
  change: (links: readonly JsonObject[]) => readonly JsonValue[],
): JsonObject {
  const properties = isObject(dps.properties) ? dps.properties : {};
  return { ...dps, properties: { ...properties, iotHubs: change(objectsIn(properties.iotHubs)) } };
}

/** DPS makes device identities and their first twins (azure-docs, how-to-manage-linked-iot-hubs). */
const NEEDED = ['RegistryWrite', 'ServiceConnect'] as const;
const DEFAULT_POLICY = 'iothubowner';

/**
 * The policy with which DPS signs in: the one that the link has, else `iothubowner`, else another with the needed rights.
 * Undefined if the hub has none.
 *
 * @param keys the answer of `listkeys` of the hub. It holds secrets.
 */
export function linkPolicyOf(keys: JsonObject, present: string | undefined): HubPolicy | undefined {
  const policies = objectsIn(keys.value).filter(({ rights }) =>
    NEEDED.every((right) => String(rights ?? '').includes(right)),
  );
  const found =
    policies.find(({ keyName }) => keyName === present) ??
    policies.find(({ keyName }) => keyName === DEFAULT_POLICY) ??
    policies[0];
  return typeof found?.keyName === 'string' && typeof found.primaryKey === 'string'
    ? { name: found.keyName, key: found.primaryKey }
    : undefined;
}
