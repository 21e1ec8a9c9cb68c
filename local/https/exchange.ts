import type { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { JsonValue } from '../../src/json/json.ts';

/** A request to a service, from the HTTP or the HTTPS server. */
export interface HttpRequest {
  readonly method: string;
  /** The `Host` header in lower case, without a port. It selects the hub. */
  readonly host: string;
  /** The path as sent. It is not decoded and not normalised, so that an id with `/` or `..` cannot change the path. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Each name of a header as sent, with its case, followed by its value. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The certificates of the client, leaf first; empty if none. */
  readonly certificates: readonly X509Certificate[];
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as JSON; absent: `bytes`, or an empty body. */
  readonly body?: JsonValue;
  /** The body as bytes, with its `Content-Type` in `headers`. */
  readonly bytes?: Buffer;
}

/** A service throws this to give no answer. The server then drops the connection. */
export class ConnectionDropped extends Error {
  constructor() {
    super('The connection was dropped without an answer.');
    this.name = 'ConnectionDropped';
  }
}

/** A cloud service with an HTTP API. One server can serve several. */
export interface HttpService {
  /** The host names that its clients may use besides `localhost`. The server refuses all others. */
  readonly names: readonly string[];
  claims(request: HttpRequest): boolean;
  /** @throws ConnectionDropped to give no answer. */
  answer(request: HttpRequest): Promise<HttpResponse>;
}

/**
 * The decoded segments of a path; undefined if it is not a path or its encoding is not valid.
 *
 * @example pathSegments('/twins/dev%201') // ['twins', 'dev 1']
 */
export function pathSegments(path: string): readonly string[] | undefined {
  if (!path.startsWith('/')) return undefined;
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
