import { DEVELOPMENT_DPS } from '../../src/dps/development.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, type HttpService, pathSegments } from '../https/exchange.ts';

/** A hub for Azure Resource Manager. */
export interface HubResource {
  /** @example 'contoso-weu.azure-devices.net' */
  readonly host: string;
  readonly region: string;
  readonly tier: string;
  readonly units: number;
}

export interface ArmOptions {
  readonly hubs: readonly HubResource[];
  /** The host names of the links of DPS. */
  readonly links: readonly { readonly host: string; readonly region: string }[];
  /** @example '0ne00000001' */
  readonly idScope: string;
}

/** Host name of Azure Resource Manager. */
const MANAGEMENT_HOST = 'management.azure.com';
const [, , SUBSCRIPTION = '', , RESOURCE_GROUP = ''] = DEVELOPMENT_DPS.resourceId.split('/');
const PATH = /^\/subscriptions(\/[^/]+(\/resourceGroups\/[^/]+)?\/providers\/Microsoft\.Devices(\/|$))?/i;
const CERTIFICATES = /\/certificates(\/|$)/i;
const API_VERSION = /^\d{4}-\d\d-\d\d(-preview)?$/;

/**
 * The part of Azure Resource Manager that shows the local hubs and the local DPS: `GET` of one, and of all of the
 * subscription. Nothing can be written: the fleet file defines the hubs, and `--links` the links.
 */
export function createArm({ hubs, links, idScope }: ArmOptions): HttpService {
  const resources = [...hubs.map(hubResource), dpsResource(links, idScope)];
  return {
    names: [MANAGEMENT_HOST],
    claims: ({ path }) => PATH.test(path) && !CERTIFICATES.test(path),
    async answer(request) {
      if (request.headers.authorization !== `Bearer ${DEVELOPMENT_DPS.managementToken}`) {
        return refused(401, 'AuthenticationFailed', 'Authentication failed.');
      }
      if (!API_VERSION.test(request.query.get('api-version') ?? '')) {
        return refused(400, 'MissingApiVersionParameter', 'The api-version query parameter is required.');
      }
      if (request.method !== 'GET') {
        return refused(
          405,
          'MethodNotAllowed',
          'The local Azure IoT only shows hubs and DPS. It does not change them.',
        );
      }
      return answerGet(request, resources);
    },
  };
}

function answerGet({ path }: HttpRequest, resources: readonly JsonObject[]): HttpResponse {
  const segments = (pathSegments(path) ?? []).filter((segment) => segment !== '');
  const [, subscription] = segments;
  if (segments.length === 1) {
    const id = `/subscriptions/${SUBSCRIPTION}`;
    return {
      status: 200,
      body: { value: [{ id, subscriptionId: SUBSCRIPTION, displayName: 'local', state: 'Enabled' }] },
    };
  }
  if (subscription?.toLowerCase() !== SUBSCRIPTION) {
    return refused(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`);
  }
  const asked = `/${segments.join('/')}`.toLowerCase();
  const found = resources.find(({ id }) => String(id).toLowerCase() === asked);
  if (found !== undefined) return { status: 200, body: found };
  // A list: of the subscription, or of the resource group.
  const [, scope, type] =
    /^(.*)\/providers\/(microsoft\.devices\/(?:iothubs|provisioningservices))$/.exec(asked) ?? [];
  if (scope === undefined || type === undefined) {
    return refused(404, 'ResourceNotFound', `The Resource '${segments.slice(-2).join('/')}' was not found.`);
  }
  const value = resources.filter(({ id }) => {
    const text = String(id).toLowerCase();
    return text.startsWith(`${scope}/`) && text.includes(`/providers/${type}/`);
  });
  return { status: 200, body: { value } };
}

function hubResource({ host, region, tier, units }: HubResource): JsonObject {
  const [name = host] = host.split('.');
  return {
    id: idOf('IotHubs', name),
    name,
    type: 'Microsoft.Devices/IotHubs',
    location: region,
    tags: {},
    sku: { name: tier, tier: tier === 'F1' ? 'Free' : 'Standard', capacity: units },
    properties: { hostName: host, state: 'Active', provisioningState: 'Succeeded' },
  };
}

function dpsResource(links: ArmOptions['links'], idScope: string): JsonObject {
  const [name = ''] = DEVELOPMENT_DPS.host.split('.');
  return {
    id: DEVELOPMENT_DPS.resourceId,
    name,
    type: 'Microsoft.Devices/provisioningServices',
    location: links[0]?.region ?? 'westeurope',
    tags: {},
    sku: { name: 'S1', tier: 'Standard', capacity: 1 },
    properties: {
      state: 'Active',
      provisioningState: 'Succeeded',
      idScope,
      allocationPolicy: 'Hashed',
      serviceOperationsHostName: DEVELOPMENT_DPS.host,
      deviceProvisioningHostName: 'global.azure-devices-provisioning.net',
      iotHubs: links.map(({ host, region }) => ({
        name: host,
        hostName: host,
        location: region,
        authenticationType: 'KeyBased',
        connectionString: `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=****`,
        applyAllocationPolicy: true,
        allocationWeight: 1,
      })),
    },
  };
}

function idOf(type: string, name: string): string {
  return `/subscriptions/${SUBSCRIPTION}/resourceGroups/${RESOURCE_GROUP}/providers/Microsoft.Devices/${type}/${name}`;
}

function refused(status: number, code: string, message: string): HttpResponse {
  return { status, body: { error: { code, message } } };
}
