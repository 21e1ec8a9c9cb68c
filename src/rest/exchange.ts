import type { Dispatcher } from 'undici';
import type { RestHeaders } from './headers.ts';

/** One HTTP request. */
export interface HttpCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: none. */
  readonly body: string | undefined;
  /** Milliseconds after which the call is given up, the reading of the answer included. */
  readonly deadlineMs: number;
  /** The connections that it may use; absent: those that the process shares. */
  readonly dispatcher?: Dispatcher;
}

/** An answer of whatever status. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: RestHeaders;
  readonly body: string;
}

/** What became of a request. A reason is the code or the name of an error, never its message. */
export type HttpResult =
  | { readonly kind: 'answered'; readonly answer: HttpAnswer }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Sends one request and reads its answer whole, within the deadline. Follows no redirect. */
export async function exchange(call: HttpCall): Promise<HttpResult> {
  const { url, method, headers, body, deadlineMs, dispatcher } = call;
  // `request` and not `fetch`, which would drop the host header.
  const { request } = await import('undici');
  try {
    const response = await request(url, {
      ...(dispatcher !== undefined && { dispatcher }),
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body ?? null,
      signal: AbortSignal.timeout(deadlineMs),
    });
    const { statusCode: status, headers: answered } = response;
    const answer: HttpAnswer = { status, headers: answered, body: await response.body.text() };
    return { kind: 'answered', answer };
  } catch (error) {
    return resultOf(error);
  }
}

function resultOf(error: unknown): HttpResult {
  const { name = '', code } = (error ?? {}) as { readonly name?: string; readonly code?: unknown };
  if (name === 'TimeoutError' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return { kind: 'timeout' };
  }
  return { kind: 'unreachable', reason: typeof code === 'string' ? code : name };
}
