import type { IncomingMessage, ServerResponse } from 'node:http';
import { HOST_VERSION } from '../core-api.ts';
import type { HostedFunction } from '../hosted-function.ts';
import { readBody, writeStatus } from './message.ts';

/** The parts of the host that its admin endpoints use. */
export interface Admin {
  readonly functions: readonly HostedFunction[];
  /** Starts a run of a function and returns at once. */
  fire(fn: HostedFunction, input: string): void;
}

/**
 * `GET /admin/host/status` and `POST /admin/functions/{name}` of azure-functions-host (`HostController.cs`,
 * `FunctionsController.cs`).
 */
export async function answerAdmin(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  admin: Admin,
  authorized: boolean,
): Promise<void> {
  const status = /^\/admin\/host\/status\/?$/i.test(url.pathname);
  const name = /^\/admin\/functions\/([^/]+)\/?$/i.exec(url.pathname)?.[1];
  const known = (status && request.method === 'GET') || (name !== undefined && request.method === 'POST');
  if (!known) return writeStatus(response, 404);
  if (!authorized) return writeStatus(response, 401);
  if (name === undefined) return writeHostStatus(response);

  const input = triggerInput(await readBody(request));
  if (input === undefined) return writeStatus(response, 400);
  const fn = admin.functions.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (fn === undefined) return writeStatus(response, 404);
  admin.fire(fn, input);
  writeStatus(response, 202);
}

/** The text of `{"input": ...}`, empty if there is none; undefined if the body is not a JSON object. */
function triggerInput(body: Buffer | undefined): string | undefined {
  try {
    const invocation: unknown = JSON.parse(body?.toString('utf8') ?? '');
    if (typeof invocation !== 'object' || invocation === null) return undefined;
    const input: unknown = 'input' in invocation ? invocation.input : '';
    return typeof input === 'string' ? input : JSON.stringify(input);
  } catch {
    return undefined;
  }
}

function writeHostStatus(response: ServerResponse): void {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(
    JSON.stringify({
      id: 'local',
      state: 'Running',
      version: HOST_VERSION,
      versionDetails: `${HOST_VERSION} (local)`,
      processUptime: Math.round(process.uptime() * 1000),
    }),
  );
}
