import type { HttpRequest } from '../../https/exchange.ts';

const OVERRIDES: ReadonlySet<string> = new Set(['PATCH', 'PUT', 'DELETE']);

/**
 * The request with the method that a client without this method names in a header. The service SDK for Java writes twins with POST and
 * `X-HTTP-Method-Override: PATCH` (azure-iot-sdk-java, HttpConnection.java).
 */
export function withMethodOverride(request: HttpRequest): HttpRequest {
  const method = request.headers['x-http-method-override']?.toString().toUpperCase() ?? '';
  return request.method === 'POST' && OVERRIDES.has(method) ? { ...request, method } : request;
}
