import type { JsonObject } from '../../../src/json/json.ts';
import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import { cancelJob, createJob, listJobs, readJob } from '../jobs/job-operations.ts';
import type { Address } from '../model/address.ts';
import { headerOf, readObject, type Serve, type ServiceOperations } from './operation.ts';

/** The operations on jobs. The tutorial of jobs asks for the rights of the registry. */
export const JOB_OPERATIONS: ServiceOperations = [
  ['GET /jobs/v2/query', { serve: list, right: 'RegistryRead', action: 'jobs/read' }],
  ['GET /jobs/v2/{id}', { serve: onJob(readJob), right: 'RegistryRead', action: 'jobs/read' }],
  ['PUT /jobs/v2/{id}', { serve: create, right: 'RegistryWrite', action: 'jobs/write' }],
  ['POST /jobs/v2/{id}/cancel', { serve: onJob(cancelJob), right: 'RegistryWrite', action: 'jobs/delete' }],
];

function onJob(operate: (hub: LocalHub, jobId: string) => JsonObject): Serve {
  return async (
    hub: LocalHub,
    _request: HttpRequest,
    { deviceId: jobId }: Address,
  ): Promise<HttpResponse> => {
    await hub.admit('jobs');
    return { status: 200, body: operate(hub, jobId) };
  };
}

async function create(
  hub: LocalHub,
  request: HttpRequest,
  { deviceId: jobId }: Address,
): Promise<HttpResponse> {
  await hub.admit('jobs');
  return { status: 200, body: createJob(hub, jobId, readObject(request)) };
}

async function list(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  await hub.admit('jobs');
  const { query } = request;
  const { rows, continuation } = listJobs(
    hub,
    { type: query.get('jobType') ?? undefined, status: query.get('jobStatus') ?? undefined },
    {
      size: headerOf(request, 'x-ms-max-item-count') ?? query.get('pageSize') ?? undefined,
      continuation: headerOf(request, 'x-ms-continuation') ?? query.get('continuationToken') ?? undefined,
    },
  );
  return {
    status: 200,
    headers: {
      'x-ms-item-type': 'JobResponse',
      ...(continuation !== undefined && { 'x-ms-continuation': continuation }),
    },
    body: rows,
  };
}
