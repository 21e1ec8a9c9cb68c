import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import {
  cancelTransfer,
  createTransfer,
  listTransfers,
  readTransfer,
} from '../transfers/transfer-operations.ts';
import { readObject, type ServiceOperations } from './operation.ts';

/** The jobs that import and export devices (REST API "Jobs", first version). */
export const TRANSFER_OPERATIONS: ServiceOperations = [
  ['POST /jobs/create', { serve: create, right: 'RegistryWrite', action: 'jobs/write' }],
  ['GET /jobs', { serve: list, right: 'RegistryRead', action: 'jobs/read' }],
  ['GET /jobs/{id}', { serve: read, right: 'RegistryRead', action: 'jobs/read' }],
  ['DELETE /jobs/{id}', { serve: cancel, right: 'RegistryWrite', action: 'jobs/delete' }],
];

async function create(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  await hub.admit('jobs');
  return { status: 200, body: createTransfer(hub, readObject(request)) };
}

async function list(hub: LocalHub): Promise<HttpResponse> {
  await hub.admit('jobs');
  return { status: 200, body: listTransfers(hub) };
}

async function read(
  hub: LocalHub,
  _request: HttpRequest,
  { deviceId: jobId }: Address,
): Promise<HttpResponse> {
  await hub.admit('jobs');
  return { status: 200, body: readTransfer(hub, jobId) };
}

async function cancel(
  hub: LocalHub,
  _request: HttpRequest,
  { deviceId: jobId }: Address,
): Promise<HttpResponse> {
  await hub.admit('jobs');
  cancelTransfer(hub, jobId);
  return { status: 204 };
}
