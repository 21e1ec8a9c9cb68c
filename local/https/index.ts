/**
 * HTTP for the local hubs and DPS: one server with TLS for both, and one without for the service REST API
 * (`IOT_ENDPOINT`).
 */
export type { HttpRequest, HttpResponse, HttpService } from './exchange.ts';
export type { PassThrough } from './pass-through.ts';
export { createRevocationListService } from './revocation-list.ts';
export { type HttpOptions, type HttpServer, startHttp } from './server.ts';
export type { WebSocketRoute } from './web-sockets.ts';
