import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { RpcMetadata } from '../rpc.ts';
import { joinedHeaders, OWN_HEADERS } from './message.ts';
import type { RouteValues } from './route-template.ts';

/** Longest time between the return of a handler and the arrival of its answer. */
const ANSWER_GRACE_MS = 1_000;

/**
 * The metadata that replaces the HTTP value in stream mode. The library reads headers and route values from it.
 */
export function streamMetadata(request: IncomingMessage, values: RouteValues): RpcMetadata {
  return {
    ...Object.fromEntries(Object.entries(values).map(([name, string]) => [name, { string }])),
    Headers: { json: JSON.stringify(joinedHeaders(request)) },
    Query: { json: '{}' },
  };
}

/**
 * A request that was forwarded to the library's HTTP server, which `app.setup({ enableHttpStream: true })` starts.
 */
export interface ForwardedRequest {
  /** Whether the handler's answer has arrived and was forwarded. Waits up to a second for it. */
  answered(): Promise<boolean>;
  /** Disconnects the request. */
  abort(): void;
}

/** Forwards the request to the library as the host does, with the id of its invocation. */
export function forwardRequest(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  workerUri: string,
  invocationId: string,
): ForwardedRequest {
  const outgoing = httpRequest(new URL(`${url.pathname}${url.search}`, workerUri), {
    method: request.method,
    headers: {
      ...joinedHeaders(request),
      'x-ms-invocation-id': invocationId,
      'x-forwarded-host': url.host,
      'x-forwarded-proto': 'http',
    },
  });
  const passedOn = new Promise<boolean>((resolve) => {
    outgoing.once('response', (answer) => {
      response.statusCode = answer.statusCode ?? 200;
      for (const [name, all = []] of Object.entries(answer.headersDistinct)) {
        if (!OWN_HEADERS.has(name)) response.setHeader(name, all);
      }
      response.flushHeaders();
      pipeline(answer, response).then(
        () => resolve(true),
        () => resolve(true), // the client or the app disconnected, so no other answer is possible
      );
    });
    outgoing.once('error', () => resolve(response.headersSent));
  });
  pipeline(request, outgoing).catch(() => outgoing.destroy());
  return {
    async answered() {
      if (response.headersSent) return passedOn;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(response.headersSent), ANSWER_GRACE_MS);
      });
      return Promise.race([passedOn, late]).finally(() => clearTimeout(timer));
    },
    abort() {
      outgoing.destroy();
    },
  };
}
