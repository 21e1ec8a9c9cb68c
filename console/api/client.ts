import type { FunctionKey } from './function-key.ts';

/** An answer of the API, or why there is none. */
export type ApiAnswer =
  | { readonly kind: 'ok'; readonly body: unknown; readonly etag: string | undefined }
  /** The same as the answer that had this ETag. */
  | { readonly kind: 'unchanged' }
  /** Berth refuses the request itself, as for an unknown device. */
  | { readonly kind: 'refused'; readonly problem: Problem }
  /** Neither a function key nor a sign-in, or a wrong one. */
  | { readonly kind: 'unauthorized' }
  /** The app's authentication wants the reader to sign in (again). */
  | { readonly kind: 'signedOut' }
  | { readonly kind: 'unreachable'; readonly why: string };

/** A coded error as every function answers it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly status: number;
}

/** What the client calls: `fetch`, or a double of it. */
export type Fetch = (address: string, init: RequestInit) => Promise<Response>;

/** Functions end within this time on a warm instance; a cold start takes a few seconds. */
const DEADLINE_MS = 30_000;
/** The control API gives a command a minute. */
const SEND_DEADLINE_MS = 90_000;

/** Calls the API of its own origin. It sends the function key as a header, and never in an address. */
export class ApiClient {
  readonly #fetch: Fetch;
  readonly #key: FunctionKey;

  constructor(call: Fetch, key: FunctionKey) {
    this.#fetch = call;
    this.#key = key;
  }

  /** Gets JSON. With the ETag of an earlier answer, an equal one is `unchanged`. */
  get(address: string, etag?: string): Promise<ApiAnswer> {
    return this.#call(address, {
      method: 'GET',
      headers: etag === undefined ? {} : { 'if-none-match': etag },
    });
  }

  /** Sends JSON, to the local control API only. */
  send(method: 'POST' | 'PATCH', address: string, body: unknown): Promise<ApiAnswer> {
    return this.#call(address, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async #call(
    address: string,
    { headers, ...init }: RequestInit & { readonly headers: Readonly<Record<string, string>> },
  ): Promise<ApiAnswer> {
    const key = this.#key.read();
    try {
      const response = await this.#fetch(address, {
        ...init,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(key === undefined ? {} : { 'x-functions-key': key }),
        },
        // The ETags are the console's own; and a sign-in page of another origin is no answer.
        cache: 'no-store',
        credentials: 'same-origin',
        redirect: 'manual',
        signal: AbortSignal.timeout(init.method === 'GET' ? DEADLINE_MS : SEND_DEADLINE_MS),
      });
      return await answerOf(response);
    } catch (error) {
      return { kind: 'unreachable', why: failureText(error) };
    }
  }
}

async function answerOf(response: Response): Promise<ApiAnswer> {
  const { status } = response;
  if (response.type === 'opaqueredirect') return { kind: 'signedOut' };
  if (status === 304) return { kind: 'unchanged' };
  if (status === 401) return { kind: 'unauthorized' };
  const body = await jsonOf(response);
  if (response.ok && body !== undefined)
    return { kind: 'ok', body, etag: response.headers.get('etag') ?? undefined };
  const problem = problemOf(body, status);
  if (problem !== undefined && status < 500) return { kind: 'refused', problem };
  if (status === 403) return { kind: 'unauthorized' };
  return { kind: 'unreachable', why: problem?.message ?? `it answers with status ${status}` };
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

function problemOf(body: unknown, status: number): Problem | undefined {
  const { error } = (typeof body === 'object' && body !== null ? body : {}) as { error?: unknown };
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: String(code), message: String(message), status };
}

function failureText(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'it did not answer in time';
  return 'no connection';
}
