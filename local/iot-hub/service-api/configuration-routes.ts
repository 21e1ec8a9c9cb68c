import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import {
  deleteConfiguration,
  getConfiguration,
  listConfigurations,
  putConfiguration,
  testQueries,
} from '../configurations/configuration-operations.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { readObject, type ServiceOperations } from './operation.ts';

/** Most configurations in a list: as many as a hub can have. */
const MAX_LISTED = 100;

/** The operations on automatic configurations. Their throttle is in `throttle.ts`; they cost no messages. */
export const CONFIGURATION_OPERATIONS: ServiceOperations = [
  ['GET /configurations', { serve: list, right: 'RegistryRead', action: 'configurations/read' }],
  ['GET /configurations/{id}', { serve: get, right: 'RegistryRead', action: 'configurations/read' }],
  ['PUT /configurations/{id}', { serve: put, right: 'RegistryWrite', action: 'configurations/write' }],
  ['DELETE /configurations/{id}', { serve: remove, right: 'RegistryWrite', action: 'configurations/delete' }],
  [
    'POST /configurations/testQueries',
    { serve: test, right: 'RegistryRead', action: 'configurations/testQueries/action' },
  ],
];

async function list(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  await hub.admit('configurations');
  const top = Number(request.query.get('top') ?? MAX_LISTED);
  return { status: 200, body: listConfigurations(hub, top >= 1 ? Math.floor(top) : MAX_LISTED) };
}

async function get(hub: LocalHub, _request: HttpRequest, { deviceId: id }: Address): Promise<HttpResponse> {
  await hub.admit('configurations');
  return { status: 200, body: getConfiguration(hub, id) };
}

async function put(hub: LocalHub, request: HttpRequest, { deviceId: id }: Address): Promise<HttpResponse> {
  await hub.admit('configurations');
  return { status: 200, body: putConfiguration(hub, id, readObject(request), request.headers['if-match']) };
}

async function remove(hub: LocalHub, request: HttpRequest, { deviceId: id }: Address): Promise<HttpResponse> {
  await hub.admit('configurations');
  deleteConfiguration(hub, id, request.headers['if-match']);
  return { status: 204 };
}

async function test(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  await hub.admit('configurations');
  return { status: 200, body: testQueries(readObject(request)) };
}
