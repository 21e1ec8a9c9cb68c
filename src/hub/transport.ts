import { randomUUID } from 'node:crypto';
import type { Agent } from 'undici';
import type { HubCredential } from './credential.ts';
import { failureOf } from './failure.ts';
import { HubError } from './port.ts';

/**
 * A hub queues calls before it throttles them, so a call without an end would hang long before the first 429.
 */
export const HUB_DEADLINE_MS = 10_000;
/** More wait their turn; a hub allows a hundred reads a second at most on most tiers. */
const CONNECTIONS_PER_HUB = 16;
/** A twin with all its metadata is far smaller. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;

export interface TransportOptions {
  /** The hub, for messages. */
  readonly host: string;
  /** The host name that is called; absent: `host`. */
  readonly serviceHost?: string;
  readonly credential: HubCredential;
  /** Where the hub is reached: `https://<serviceHost>`, or in development one plain-http address for all hubs. */
  readonly origin: string;
  readonly agent: Promise<Agent>;
  /** Milliseconds after which a call is given up; default 10 s. */
  readonly deadlineMs?: number | undefined;
}

/** What the hub sent; comes out of `Registry` as `httpResponse`, and queries read the headers of it. */
interface Answer {
  readonly json: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

type Done = (error: Error | null, body?: unknown, response?: Answer) => void;

/**
 * The transport under `azure-iothub`'s `Registry`, in the place of its own, which has no timeout, no bound on
 * sockets, breaks UTF-8 that is split over chunks, and puts the token into errors (azure-iothub 1.16.6,
 * dist/common-http/http.js).
 */
export class HubTransport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** The one method that `Registry` calls; the callback is always the last argument. */
  executeApiCall(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> | null,
    body: unknown,
    ...rest: readonly unknown[]
  ): void {
    const done = rest.findLast((argument) => typeof argument === 'function') as Done;
    this.#send(method, path, headers ?? {}, body)
      .then((answer) => done(null, answer.json, answer))
      // The SDK's own reading of the answer may throw inside `done`, which must not become an unhandled
      // rejection.
      .catch((error: unknown) =>
        done(error instanceof HubError ? error : unexpected(this.#options.host, method)),
      );
  }

  async #send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: unknown,
  ): Promise<Answer> {
    const {
      host,
      serviceHost = host,
      credential,
      origin,
      agent,
      deadlineMs = HUB_DEADLINE_MS,
    } = this.#options;
    const authorization = await this.#authorize(credential);
    // `request` and not `fetch`, which would drop the host header.
    const { request } = await import('undici');
    let status: number;
    let responseHeaders: Readonly<Record<string, string | string[] | undefined>>;
    let text: string;
    try {
      const response = await request(`${origin}${path}`, {
        dispatcher: await agent,
        method: method as 'GET',
        headers: {
          ...headers,
          host: serviceHost,
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
    if (status >= 300) throw failureOf({ host, method, status, headers: responseHeaders, body: text });
    try {
      return { json: text === '' ? undefined : (JSON.parse(text) as unknown), headers: responseHeaders };
    } catch {
      throw new HubError(
        'BERTH_HUB_UNAVAILABLE',
        `${host} answered ${method} with something that is not JSON.`,
        {
          host,
          status,
          mayHaveApplied: true,
        },
      );
    }
  }

  async #authorize(credential: HubCredential): Promise<string> {
    try {
      return await credential.authorization();
    } catch (error) {
      // Names only: the message of a credential error may quote what the identity endpoint said.
      const name = error instanceof Error ? error.name : 'error';
      throw new HubError(
        'BERTH_HUB_UNAUTHORIZED',
        `No token for ${this.#options.host} could be had (${name}).`,
        {
          host: this.#options.host,
        },
      );
    }
  }
}

/** Opens the connections of a hub, which are bounded. */
export async function openAgent(): Promise<Agent> {
  const { Agent: UndiciAgent } = await import('undici');
  return new UndiciAgent({
    connections: CONNECTIONS_PER_HUB,
    pipelining: 1,
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect: { timeout: HUB_DEADLINE_MS },
  });
}

/** An answer that is none of IoT Hub's: a proxy's page, a cut-off text. */
export function unexpected(host: string, method: string): HubError {
  const message = `${host} answered ${method} with something unexpected.`;
  return new HubError('BERTH_HUB_UNAVAILABLE', message, { host, mayHaveApplied: true });
}

function connectionFailure(host: string, method: string, deadlineMs: number, error: unknown): HubError {
  const { name = '', code } = (error ?? {}) as { readonly name?: string; readonly code?: unknown };
  if (name === 'TimeoutError' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new HubError('BERTH_HUB_TIMEOUT', `${host} did not answer ${method} in ${deadlineMs / 1_000} s.`, {
      host,
      mayHaveApplied: true,
    });
  }
  const reason = typeof code === 'string' ? code : name;
  return new HubError('BERTH_HUB_UNAVAILABLE', `${host} could not be reached for ${method} (${reason}).`, {
    host,
    mayHaveApplied: code !== 'ECONNREFUSED' && code !== 'ENOTFOUND',
  });
}
