import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RpcHttpData, RpcInvocationResponse, RpcTypedData } from '../rpc.ts';
import type { RouteValues } from './route-template.ts';
import { setCookie } from './set-cookie.ts';

/** Largest request body: Azure/azure-functions-host `ScriptConstants.DefaultMaxRequestBodySize`. */
export const MAX_BODY_BYTES = 104_857_600;

/** Headers of answers about the connection or the framing. This server writes its own. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** The request that a function gets. An empty body is absent. */
export function toRpcHttp(
  request: IncomingMessage,
  url: URL,
  values: RouteValues,
  body: Buffer | undefined,
): RpcTypedData {
  const query = [...new Set(url.searchParams.keys())].map((name): readonly [string, string] => [
    name,
    url.searchParams.getAll(name).join(','),
  ]);
  return {
    http: {
      method: request.method ?? 'GET',
      url: url.href,
      nullableHeaders: nullable(Object.entries(joinedHeaders(request))),
      nullableQuery: nullable(query),
      nullableParams: nullable(Object.entries(values)),
      ...(body === undefined ? {} : { body: { bytes: body } }),
    },
  };
}

/** The headers that functions get: names in lower case, repeated headers joined. */
export const joinedHeaders = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headersDistinct).map(([name, all = []]) => [name, all.join(',')]),
  );

const nullable = (pairs: readonly (readonly [string, string])[]): Record<string, { value: string }> =>
  Object.fromEntries(pairs.map(([name, value]) => [name, { value }]));

/**
 * Length of the body that the host passes to the function. The host ignores a body without Content-Length
 * (`ToRpcHttp`: `ContentLength > 0`).
 */
export const bodyLength = (request: IncomingMessage): number =>
  Number(request.headers['content-length'] ?? 0);

/** @throws Error if the client disconnects before the end of the body. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (!(bodyLength(request) > 0)) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Writes the answer of a function. A handler that returns nothing answers 200 without a body. */
export function writeFunctionResponse(response: ServerResponse, result: RpcInvocationResponse): void {
  const http: RpcHttpData = result.returnValue?.http ?? {};
  response.statusCode = Number(http.statusCode ?? 200);
  for (const [name, value] of Object.entries(http.headers ?? {})) {
    if (!OWN_HEADERS.has(name.toLowerCase())) response.setHeader(name, value);
  }
  if (http.cookies && http.cookies.length > 0) response.setHeader('set-cookie', http.cookies.map(setCookie));
  const body =
    http.body?.bytes ?? (typeof http.body?.string === 'string' ? Buffer.from(http.body.string) : undefined);
  response.end(body);
}

/** Writes an answer of the host itself: a status without a body. */
export function writeStatus(response: ServerResponse, status: number): void {
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusCode = status;
  response.setHeader('content-length', 0);
  response.end();
}
