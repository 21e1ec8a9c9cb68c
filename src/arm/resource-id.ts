/**
 * The id of a resource in Azure Resource Manager, such as
 * `/subscriptions/…/resourceGroups/rg/providers/Microsoft.Devices/IotHubs/contoso-weu`. Azure ignores its case.
 */
export type ResourceId = string & { readonly brand: 'ResourceId' };

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Names of resource groups ("Naming rules and restrictions for Azure resources"). */
const GROUP = /^[\w().-]{0,89}[\w()-]$/;
const ID =
  /^\/subscriptions\/([^/?#]+)\/resourceGroups\/([^/?#]+)\/providers\/([^/?#]+\/[^?#]+)\/([^/?#]+)$/i;

/** Where a resource is. */
export interface ResourcePlace {
  readonly subscription: string;
  readonly resourceGroup: string;
}

export function isSubscriptionId(text: string): boolean {
  return GUID.test(text);
}

export function isResourceGroup(text: string): boolean {
  return GROUP.test(text);
}

/** @param type such as `Microsoft.Devices/IotHubs` */
export function resourceId(place: ResourcePlace, type: string, name: string): ResourceId {
  return `/subscriptions/${place.subscription}/resourceGroups/${place.resourceGroup}/providers/${type}/${name}` as ResourceId;
}

/** Reads the id of a resource in a resource group. Undefined for any other text. */
export function parseResourceId(
  text: string,
): (ResourcePlace & { readonly type: string; readonly name: string; readonly id: ResourceId }) | undefined {
  const [, subscription, resourceGroup, type, name] = ID.exec(text) ?? [];
  if (subscription === undefined || resourceGroup === undefined || type === undefined || name === undefined)
    return undefined;
  return { subscription, resourceGroup, type, name, id: text as ResourceId };
}

/** Whether two texts are the same id. */
export function isSameId(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** The name of a resource, for messages: the last part of its id. */
export function resourceName(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}
