import type { Dispatcher } from 'undici';
import type { RestHeaders } from './headers.ts';

/** One HTTP request. */
export interface HttpCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined if there is no body. */
  readonly body: string | undefined;
  /** Timeout in milliseconds, which includes reading the answer. */
  readonly deadlineMs: number;
  /** The connections to use. Default: the shared connections of the process. */
  readonly dispatcher?: Dispatcher;
}

/** An answer of any status. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: RestHeaders;
  readonly body: string;
}

/** The result of a request. A reason is the code or the name of an error, never its message. */
export type HttpResult =
  | { readonly kind: 'answered'; readonly answer: HttpAnswer }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Sends one request and reads the whole answer, within the deadline. Follows no redirects. */
export async function exchange(call: HttpCall): Promise<HttpResult> {
  const { url, method, headers, body, deadlineMs, dispatcher } = call;
  // `request`, because `fetch` drops the host header.
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
