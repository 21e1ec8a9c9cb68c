import type { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { JsonValue } from '../../src/json/json.ts';

/** A request as the services see it, whichever server took it. */
export interface HttpRequest {
  readonly method: string;
  /** The `Host` header in lower case, without a port: it tells which hub is meant. */
  readonly host: string;
  /** The path as sent: not decoded and not normalised, so that an id cannot climb out of its place. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The certificates the client showed, leaf first; empty if none. */
  readonly certificates: readonly X509Certificate[];
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; absent: an empty body. */
  readonly body?: JsonValue;
}

/** Thrown by a service that gives no answer: the server drops the connection. */
export class ConnectionDropped extends Error {
  constructor() {
    super('The connection was dropped without an answer.');
    this.name = 'ConnectionDropped';
  }
}

/** A cloud service that clients reach over HTTP. One server carries several. */
export interface HttpService {
  /** The host names that its clients may use beside `localhost`; a server refuses all others. */
  readonly names: readonly string[];
  claims(request: HttpRequest): boolean;
  /** @throws ConnectionDropped to leave the request without an answer */
  answer(request: HttpRequest): Promise<HttpResponse>;
}

/**
 * The decoded segments of a path; undefined if it is not a path or not properly encoded.
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
