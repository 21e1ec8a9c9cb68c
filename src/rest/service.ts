import { randomUUID } from 'node:crypto';
import type { Agent } from 'undici';
import { jsonOrUndefined } from '../json/json.ts';
import type { RestCredential } from './credential.ts';
import { exchange, type HttpAnswer } from './exchange.ts';
import { type RestFailure, refusal } from './failure.ts';
import type { RestHeaders } from './headers.ts';

/** Further calls wait until one is free; a hub allows a hundred reads a second at most on most tiers. */
const CONNECTIONS = 16;
const CONNECT_TIMEOUT_MS = 10_000;
/** A twin with all its metadata, or a page of enrollments, is far smaller. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;
/** Refused at once: nothing was sent. */
const NOT_SENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND']);

/** A REST service and how it is reached. */
export interface RestEndpoint {
  /** The service, as failures name it. */
  readonly host: string;
  /** The `Host` header; absent: `host`. */
  readonly serviceHost?: string;
  /** `https://<serviceHost>`, or in development a plain-http address on loopback. */
  readonly origin: string;
  readonly credential: RestCredential;
}

/** One call of a service. */
export interface RestCall {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** The SDKs put numbers among them. */
  readonly headers: Readonly<Record<string, string | number>>;
  /** Sent as JSON; null and undefined: none. */
  readonly body?: unknown;
}

/** What the service sent. The SDKs read the headers of it. */
export interface RestAnswer {
  /** Undefined: the body is empty. */
  readonly json: unknown;
  readonly headers: RestHeaders;
}

export type RestResult =
  | { readonly ok: true; readonly answer: RestAnswer }
  | { readonly ok: false; readonly failure: RestFailure };

export interface RestService {
  readonly host: string;
  /** Sends one call, once. What goes wrong is a failure, not an exception. */
  call(call: RestCall): Promise<RestResult>;
  close(): Promise<void>;
}

/**
 * Opens a REST service with bounded connections. They are its own: behind one endpoint, a service that does not answer would keep
 * the connections of all others.
 *
 * @param deadlineMs milliseconds after which a call is given up
 */
export function openRestService(endpoint: RestEndpoint, deadlineMs: number): RestService {
  const { host, serviceHost = host, origin, credential } = endpoint;
  const agent = openAgent();

  async function call({ method, path, headers, body }: RestCall): Promise<RestResult> {
    let authorization: string;
    try {
      authorization = await credential.authorization();
    } catch (error) {
      // Names only: the message of a credential error may quote what the identity endpoint said.
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
  if (status >= 300) return failed(refusal(host, method, answer, Date.now()));
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
