import { randomUUID } from 'node:crypto';
import type { Agent } from 'undici';
import type { HubCredential } from '../hub/credential.ts';
import { failureOf } from './failure.ts';
import { DpsError } from './port.ts';

/** DPS answers in well under a second; a page of a thousand enrollments takes longer. */
const DEADLINE_MS = 20_000;

export interface DpsTransportOptions {
  readonly host: string;
  readonly credential: HubCredential;
  /** Where it is reached: `https://<host>`, or in development a plain-http address on loopback. */
  readonly origin: string;
  readonly agent: Promise<Agent>;
  /** Milliseconds after which a call is given up; default 20 s. */
  readonly deadlineMs?: number | undefined;
}

export interface DpsAnswer {
  readonly json: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type DpsTransport = (
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: unknown,
) => Promise<DpsAnswer>;

/** Calls one host with a deadline; every failure is a `DpsError`. */
export function dpsTransport(options: DpsTransportOptions): DpsTransport {
  const { host, credential, origin, agent, deadlineMs = DEADLINE_MS } = options;
  return async (method, path, headers, body) => {
    const authorization = await authorize(host, credential);
    const { request } = await import('undici');
    let status: number;
    let responseHeaders: DpsAnswer['headers'];
    let text: string;
    try {
      const response = await request(`${origin}${path}`, {
        dispatcher: await agent,
        method: method as 'GET',
        headers: {
          ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
          host,
          authorization,
          'request-id': randomUUID(),
          'user-agent': 'berth',
        },
        body: body === null || body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(deadlineMs),
      });
      status = response.statusCode;
      responseHeaders = response.headers;
      text = await response.body.text();
    } catch (error) {
      throw connectionFailure(host, method, deadlineMs, error);
    }
    if (status >= 300) throw failureOf(host, method, status, text);
    try {
      return { json: text === '' ? undefined : (JSON.parse(text) as unknown), headers: responseHeaders };
    } catch {
      throw unexpected(host, method);
    }
  };
}

type Done = (error: Error | null, body?: unknown, response?: DpsAnswer) => void;

/**
 * The transport in the place of the SDK's own `RestApiClient`, which has no timeout, breaks UTF-8 that is split over
 * chunks, and hangs the whole request, its token included, onto errors (azure-iot-http-base 1.12.2,
 * dist/rest_api_client.js).
 */
export function restApiClient(host: string, call: DpsTransport) {
  return {
    /** The one method that `ProvisioningServiceClient` calls; the callback is always the last argument. */
    executeApiCall(
      method: string,
      path: string,
      headers: Readonly<Record<string, string>> | null,
      body: unknown,
      ...rest: readonly unknown[]
    ): void {
      const done = rest.findLast((argument) => typeof argument === 'function') as Done;
      call(method, path, headers ?? {}, body)
        .then((answer) => done(null, answer.json, answer))
        // The SDK's own reading of the answer may throw inside `done`.
        .catch((error: unknown) => done(error instanceof DpsError ? error : unexpected(host, method)));
    },
  };
}

/** An answer that is none of DPS's: a proxy's page, a cut-off text. */
export function unexpected(host: string, method: string): DpsError {
  return new DpsError('BERTH_DPS_UNAVAILABLE', `${host} answered ${method} with something unexpected.`);
}

async function authorize(host: string, credential: HubCredential): Promise<string> {
  try {
    return await credential.authorization();
  } catch (error) {
    // Names only: the message of a credential error may quote what the identity endpoint said.
    const name = error instanceof Error ? error.name : 'error';
    throw new DpsError('BERTH_DPS_UNAUTHORIZED', `No token for ${host} could be had (${name}).`);
  }
}

function connectionFailure(host: string, method: string, deadlineMs: number, error: unknown): DpsError {
  const { name = '', code } = (error ?? {}) as { readonly name?: string; readonly code?: unknown };
  if (name === 'TimeoutError' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new DpsError('BERTH_DPS_TIMEOUT', `${host} did not answer ${method} in ${deadlineMs / 1_000} s.`);
  }
  const reason = typeof code === 'string' ? code : name;
  return new DpsError('BERTH_DPS_UNAVAILABLE', `${host} could not be reached for ${method} (${reason}).`);
}
