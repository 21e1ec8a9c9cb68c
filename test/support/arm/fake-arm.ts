import { createServer, type IncomingMessage } from 'node:http';
import { listen } from '../../../local/listen.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { answered } from './answers.ts';

/** The token that the fake takes: the one of the local Azure IoT. */
const TOKEN = 'Bearer berth-local-management';
const PRINCIPAL = '99999999-8888-7777-6666-555555555555';

/** Azure Resource Manager in memory, as far as Berth asks it. Its answers begin as golden answers. */
export interface FakeArm {
  readonly origin: string;
  /** `METHOD path?query` of each request. */
  readonly requests: string[];
  /** The bodies of all writes of hubs and DPS. They contain keys. */
  readonly bodies: JsonObject[];
  /** Refusals of an endpoint of a system-assigned identity after its role was assigned. */
  roleDelay: number;
  /** Called before each write, such as to change the resource as another writer. */
  beforePut: (id: string) => void;
  /** Whether a read of this resource is answered with 503. */
  isBusy: (id: string) => boolean;
  /** A resource by its id; undefined: there is none. */
  resource(id: string): JsonObject | undefined;
  put(resource: JsonObject): void;
  /** What a version of the API shows of a resource. Default: everything. */
  shown: (resource: JsonObject, apiVersion: string) => JsonObject;
  /** Enrollments that the service API of DPS answers. */
  enrollments: { readonly groups?: JsonValue | undefined; readonly individuals?: JsonValue };
  /** The answer of "Providers - Get", with the API versions. */
  provider: JsonObject & { resourceTypes?: JsonValue };
  close(): void;
}

/** Starts the fake with these golden answers as its resources. */
export async function startFakeArm(...names: readonly string[]): Promise<FakeArm> {
  const resources = new Map<string, JsonObject>();
  const roles: JsonObject[] = [];
  let writes = 0;
  const fake: FakeArm = {
    origin: '',
    requests: [],
    bodies: [],
    roleDelay: 0,
    beforePut: () => {},
    isBusy: () => false,
    shown: (resource) => resource,
    provider: answered('provider'),
    enrollments: {},
    resource: (id) => resources.get(id.toLowerCase()),
    put: (resource) => void resources.set(String(resource.id).toLowerCase(), resource),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  for (const name of names) fake.put(answered(name));

  const server = createServer(async (request, response) => {
    const { status, body } = await answer(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });

  async function answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const path = decodeURIComponent(url.pathname);
    const version = url.searchParams.get('api-version') ?? '';
    fake.requests.push(`${request.method} ${path}${decodeURIComponent(url.search)}`);
    let text = '';
    for await (const chunk of request) text += chunk;
    const list = /^\/(enrollmentGroups|enrollments)\/query$/i.exec(path)?.[1]?.toLowerCase();
    if (list !== undefined) {
      const { groups = [], individuals = [] } = fake.enrollments;
      return { status: 200, body: list === 'enrollments' ? individuals : groups };
    }
    if (path === '/subscriptions') return { status: 200, body: answered('subscriptions') };
    if (request.headers.authorization !== TOKEN) return failure(401, 'AuthenticationFailed', 'No token.');
    if (/\/providers\/Microsoft\.Devices$/i.test(path)) return { status: 200, body: fake.provider };
    if (/\/Microsoft\.Resources\/deployments$/i.test(path))
      return { status: 200, body: answered('deployments') };
    if (path.includes('/roleAssignments')) return role(request, path, url, text);
    if (request.method === 'GET' && isList(path)) return listOf(path, version);
    const id = path.replace(/\/listkeys$/i, '');
    const found = fake.resource(id);
    if (found === undefined) return failure(404, 'ResourceNotFound', `The Resource '${id}' was not found.`);
    if (request.method === 'POST') return { status: 200, body: answered('hub-keys') };
    if (request.method === 'GET' && fake.isBusy(id)) return failure(503, 'ServiceUnavailable', 'Busy.');
    if (request.method === 'GET') return { status: 200, body: fake.shown(found, version) };
    const body = JSON.parse(text) as JsonObject;
    fake.bodies.push(body);
    fake.beforePut(id);
    return write(request, fake.resource(id) ?? found, body, version);
  }

  function listOf(path: string, version: string): Answer {
    const [, scope = '', type = ''] = /^(.*)\/providers\/Microsoft\.Devices\/(\w+)$/i.exec(path) ?? [];
    const value = [...resources.values()]
      .filter(({ id }) => String(id).toLowerCase().startsWith(`${scope.toLowerCase()}/`))
      .filter(({ id }) => String(id).toLowerCase().includes(`/microsoft.devices/${type.toLowerCase()}/`))
      .map((resource) => fake.shown(resource, version));
    return { status: 200, body: { value } };
  }

  function role(request: IncomingMessage, path: string, url: URL, text: string): Answer {
    if (request.method === 'PUT') {
      const body = JSON.parse(text) as JsonObject;
      roles.push({ ...body, id: path });
      return { status: 201, body };
    }
    const principal = /principalId eq '([^']+)'/.exec(url.searchParams.get('$filter') ?? '')?.[1];
    const given = [...(answered('role-assignments').value as readonly JsonObject[]), ...roles];
    const value = given.filter(({ properties }) => ownMember(properties, 'principalId') === principal);
    return { status: 200, body: { value } };
  }

  function write(request: IncomingMessage, found: JsonObject, body: JsonObject, version: string): Answer {
    const ifMatch = request.headers['if-match'];
    if (ifMatch !== undefined && ifMatch !== found.etag) {
      return failure(412, 'PreconditionFailed', 'The ETag does not match.');
    }
    if (needsRole(body) && !maySend(found)) {
      return failure(400, '400027', 'The endpoint could not be reached: the identity is not authorized.');
    }
    writes += 1;
    // What this version of the API does not show is removed by a write of this version.
    const hidden = (resource: JsonObject) => fake.shown(resource, version);
    const kept = withSecrets(hidden(body), found) as JsonObject;
    const stored = computed(
      { ...kept, etag: `"etag-${writes}"`, id: found.id ?? '', name: found.name ?? '' },
      found,
    );
    fake.put(stored);
    return { status: 200, body: hidden(stored) };
  }

  function maySend({ identity }: JsonObject): boolean {
    const principal = ownMember(identity, 'principalId') ?? PRINCIPAL;
    const given = [...(answered('role-assignments').value as readonly JsonObject[]), ...roles];
    if (!given.some(({ properties }) => ownMember(properties, 'principalId') === principal)) return false;
    fake.roleDelay -= 1;
    return fake.roleDelay < 0;
  }

  Object.assign(fake, { origin: `http://127.0.0.1:${await listen(server, 0, 'the fake ARM')}` });
  return fake;
}

interface Answer {
  readonly status: number;
  readonly body: JsonValue;
}

function failure(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}

function isList(path: string): boolean {
  return /\/providers\/Microsoft\.Devices\/(IotHubs|provisioningServices)$/i.test(path);
}

/** An endpoint that signs in with the hub's own identity. */
function needsRole({ properties }: JsonObject): boolean {
  const endpoints = ownMember(ownMember(ownMember(properties, 'routing'), 'endpoints'), 'eventHubs');
  return (
    Array.isArray(endpoints) &&
    endpoints.some(
      (each) =>
        ownMember(each, 'authenticationType') === 'identityBased' &&
        ownMember(each, 'identity') === undefined,
    )
  );
}

/** A masked key means that the stored one stays; a new one is masked in answers. */
function withSecrets(value: JsonValue, found: JsonValue): JsonValue {
  if (Array.isArray(value))
    return value.map((item, index) => withSecrets(item, (found as JsonValue[])?.[index] ?? null));
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, withSecrets(member, ownMember(found, key) ?? null)]),
    );
  }
  return typeof value === 'string' ? value.replace(/(SharedAccessKey|AccountKey)=[^;]+/, '$1=****') : value;
}

/** What Azure computes: principals of identities, names of links, the tier of a size. */
function computed(resource: JsonObject, found: JsonObject): JsonObject {
  const { identity, properties, sku } = resource;
  const links = ownMember(properties, 'iotHubs');
  const hasSystem = /SystemAssigned/.test(String(ownMember(identity, 'type') ?? ''));
  return {
    ...(found.systemData !== undefined && { systemData: found.systemData }),
    type: found.type ?? '',
    ...resource,
    sku: { ...(isObject(sku) ? sku : {}), tier: ownMember(sku, 'name') === 'F1' ? 'Free' : 'Standard' },
    ...(isObject(identity) && {
      identity: {
        ...identity,
        ...withPrincipals(identity, found.identity),
        ...(hasSystem && {
          principalId: ownMember(found.identity, 'principalId') ?? PRINCIPAL,
          tenantId: ownMember(found.identity, 'tenantId') ?? '11111111-2222-3333-4444-555555555555',
        }),
      },
    }),
    properties: {
      ...withComputed(isObject(properties) ? properties : {}, found.properties),
      ...(Array.isArray(links) && { iotHubs: links.filter(isObject).map(named) }),
    },
  };
}

/** The identities with the ids of their principals, of those that were there. */
function withPrincipals(identity: JsonObject, found: JsonValue | undefined): JsonObject {
  const ids = identity.userAssignedIdentities;
  if (!isObject(ids)) return {};
  const known = ownMember(found, 'userAssignedIdentities');
  return {
    userAssignedIdentities: Object.fromEntries(
      Object.entries(ids).map(([id, value]) => [id, ownMember(known, id) ?? value]),
    ),
  };
}

/** Members that Azure computes, which a client does not send. */
const COMPUTED = [
  'hostName',
  'deviceHostName',
  'serviceHostName',
  'iotHubDetails',
  'locations',
  'state',
  'provisioningState',
  'idScope',
  'deviceProvisioningHostName',
  'serviceOperationsHostName',
];

function withComputed(properties: JsonObject, found: JsonValue | undefined): JsonObject {
  const kept = COMPUTED.flatMap((name) => {
    const value = ownMember(found, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const events = ownMember(ownMember(properties, 'eventHubEndpoints'), 'events');
  const present = ownMember(ownMember(found, 'eventHubEndpoints'), 'events');
  return {
    ...properties,
    ...Object.fromEntries(kept),
    ...(isObject(events) &&
      isObject(present) && { eventHubEndpoints: { events: { ...present, ...events } } }),
  };
}

function named(link: JsonObject): JsonObject {
  const host = /HostName=([^;]+)/.exec(String(link.connectionString ?? ''))?.[1];
  return { ...link, name: link.name ?? link.hostName ?? host ?? '' };
}
