import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { consoleFile } from '../../src/console/files.ts';
import { ownRequestsOnly, pagePorts } from '../foreign-requests.ts';
import { FUNCTION_KEYS } from '../keys.ts';
import { listen } from '../listen.ts';
import { asRaw, failedAnswer, type RawAnswer } from './answers.ts';
import { passToFunctions } from './functions-proxy.ts';
import { isMonitorRequest, streamWatched } from './monitor-stream.ts';
import type { ControlRequest } from './request.ts';
import { type ControlOptions, events, isOwnRoute, route } from './routes.ts';

export { commandRunner, type RunCommand } from './commands.ts';
export type { EventStatus } from './event-counters.ts';
export { EventFeed } from './event-feed.ts';
export type { ControlOptions, ProcessStatus, Stack } from './routes.ts';
export { events as readEventStatus };

/** Twins and raw events are much smaller. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

export interface ControlApi {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves the control API on loopback. It refuses requests of other web pages.
 *
 * @throws LocalError `BERTH_LOCAL_PORT_TAKEN`
 */
export async function startControlApi(port: number, options: ControlOptions): Promise<ControlApi> {
  const { hubs, dps, stack } = options;
  const own = {
    names: [hubs.https, dps.service, dps.https].flatMap(({ names }) => names),
    ports: () => pagePorts(stack().ports),
  };
  const server = createServer(
    ownRequestsOnly(own, (request, response) => {
      if (isMonitorRequest(request)) return streamWatched(request, response, options);
      const fail = (error: unknown): RawAnswer =>
        asRaw(
          failedAnswer(500, 'BERTH_LOCAL_DEFECT', error instanceof Error ? error.message : String(error)),
        );
      answer(request, options)
        .catch(fail)
        .then((result) => send(response, result))
        .catch((error: unknown) => {
          if (response.headersSent) response.destroy();
          else send(response, fail(error));
        });
    }),
  );
  const bound = await listen(server, port, 'the control API', 'control');
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers `/api` by the functions, the routes of `routes.ts`, and every other path by a file of the console. */
async function answer(incoming: IncomingMessage, options: ControlOptions): Promise<RawAnswer> {
  const { pathname, search, searchParams } = new URL(incoming.url ?? '/', 'http://localhost');
  const method = incoming.method ?? 'GET';
  let path: readonly string[];
  let body: Buffer;
  let request: ControlRequest;
  try {
    path = pathname
      .split('/')
      .slice(1)
      .filter((part) => part !== '')
      .map(decodeURIComponent);
    body = await readBody(incoming);
    if (path[0] === 'api') {
      // The parsed path, so that `..` cannot lead out of /api.
      const functions = {
        port: options.stack().ports.functions,
        key: options.functionKey ?? FUNCTION_KEYS.function,
      };
      return await passToFunctions(`${pathname}${search}`, incoming, body, functions);
    }
    request = { method, path, query: searchParams, body: jsonOf(body) };
  } catch (error) {
    return asRaw(
      failedAnswer(
        400,
        'BERTH_LOCAL_REQUEST_INVALID',
        error instanceof Error ? error.message : 'The request is not valid.',
      ),
    );
  }
  const file = isOwnRoute(path) || method !== 'GET' ? undefined : await pageFile(path, incoming, options);
  return file ?? asRaw(await route(request, options));
}

/** A file of the console, or 304 if the browser has it. */
async function pageFile(
  path: readonly string[],
  { headers }: IncomingMessage,
  { consoleFolder }: ControlOptions,
): Promise<RawAnswer | undefined> {
  const file = await consoleFile(consoleFolder, path.join('/'));
  if (file === undefined) return path.length === 0 ? asRaw(NO_CONSOLE) : undefined;
  const etag = `"${file.sha256.slice(0, 32)}"`;
  const isKnown = headers['if-none-match'] === etag;
  return {
    status: isKnown ? 304 : 200,
    headers: { ...file.headers, etag },
    bytes: isKnown ? Buffer.alloc(0) : file.bytes,
  };
}

const NO_CONSOLE = failedAnswer(
  404,
  'BERTH_LOCAL_NOT_FOUND',
  'The console is not built: run npm run build. GET /stack shows where everything is.',
);

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('The body is larger than 2 MB.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function jsonOf(body: Buffer): unknown {
  const text = body.toString('utf8');
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('The body is not JSON: write a JSON object.');
  }
}

function send(response: ServerResponse, { status, headers, bytes }: RawAnswer): void {
  response.writeHead(status, headers).end(bytes);
}
