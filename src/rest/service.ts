import { randomUUID } from 'node:crypto';
import type { Agent } from 'undici';
import { jsonOrUndefined } from '../json/json.ts';
import { systemTime } from '../time/epoch-ms.ts';
import type { RestCredential } from './credential.ts';
import { exchange, type HttpAnswer } from './exchange.ts';
import { type RestFailure, refusal } from './failure.ts';
import type { RestHeaders } from './headers.ts';

/** Further calls wait for a free connection. Most tiers of a hub allow at most a hundred reads a second. */
const CONNECTIONS = 16;
const CONNECT_TIMEOUT_MS = 10_000;
/** Far more than a twin with all its metadata or a page of enrollments. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;
/** Error codes after which no request was sent. */
const NOT_SENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND']);

/** A REST service, with its address and credential. */
export interface RestEndpoint {
  /** Host name of the service, for messages. */
  readonly host: string;
  /** The `Host` header. Default: `host`. */
  readonly serviceHost?: string;
  /** `https://<serviceHost>`, or a plain-http loopback address in development. */
  readonly origin: string;
  readonly credential: RestCredential;
}

/** One call of a service. */
export interface RestCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Some values of the SDKs are numbers. */
  readonly headers: Readonly<Record<string, string | number>>;
  /** Sent as JSON; null or undefined for no body. */
  readonly body?: unknown;
}

/** The answer of the service. The SDKs also read its headers. */
export interface RestAnswer {
  /** Undefined if the body is empty. */
  readonly json: unknown;
  readonly headers: RestHeaders;
}

export type RestResult =
  | { readonly ok: true; readonly answer: RestAnswer }
  | { readonly ok: false; readonly failure: RestFailure };

export interface RestService {
  readonly host: string;
  /** Sends one call, without retries. It returns failures and does not throw. */
  call(call: RestCall): Promise<RestResult>;
  close(): Promise<void>;
}

/**
 * Opens a REST service with a limited number of connections. Each service has its own: otherwise a service
 * that does not answer could use the connections of all others.
 *
 * @param deadlineMs timeout of a call, in milliseconds
 */
export function openRestService(endpoint: RestEndpoint, deadlineMs: number): RestService {
  const { host, serviceHost = host, origin, credential } = endpoint;
  const agent = openAgent();

  async function call({ method, path, headers, body }: RestCall): Promise<RestResult> {
    let authorization: string;
    try {
      authorization = await credential.authorization();
    } catch (error) {
      // Only the name: the message of a credential error may quote the answer of the identity endpoint.
      const reason = error instanceof Error ? error.name : 'error';
      return failed({ kind: 'noToken', host, method, reason, mayHaveApplied: false });
    }
    const result = await exchange({
      url: `${origin}${path}`,
      method,
      headers: {
        ...asTexts(headers),
        host: serviceHost,
        authorization,
        'request-id': randomUUID(),
        'user-agent': 'berth',
      },
      body: body === null || body === undefined ? undefined : JSON.stringify(body),
      deadlineMs,
      dispatcher: await agent,
    });
    switch (result.kind) {
      case 'answered':
        return readAnswer(host, method, result.answer);
      case 'timeout':
        return failed({ kind: 'timeout', host, method, deadlineMs, mayHaveApplied: true });
      case 'unreachable': {
        const mayHaveApplied = !NOT_SENT.has(result.reason);
        const refusedAt = result.reason === 'ECONNREFUSED' ? origin : undefined;
        return failed({ ...result, host, method, mayHaveApplied, refusedAt });
      }
    }
  }

  return {
    host,
    call,
    async close() {
      await (await agent).close();
    },
  };
}

function readAnswer(host: string, method: string, answer: HttpAnswer): RestResult {
  const { status, headers, body } = answer;
  if (status >= 300) return failed(refusal(host, method, answer, systemTime()));
  const json = jsonOrUndefined(body);
  if (json === undefined && body !== '') {
    return failed({ kind: 'notJson', host, method, mayHaveApplied: true, status });
  }
  return { ok: true, answer: { json, headers } };
}

function failed(failure: RestFailure): RestResult {
  return { ok: false, failure };
}

function asTexts(headers: RestCall['headers']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

async function openAgent(): Promise<Agent> {
  const { Agent: UndiciAgent } = await import('undici');
  return new UndiciAgent({
    connections: CONNECTIONS,
    pipelining: 1,
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  });
}
