import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ownRequestsOnly, pagePorts } from '../foreign-requests.ts';
import { listen } from '../listen.ts';
import { type ControlAnswer, failedAnswer } from './answers.ts';
import type { ControlRequest } from './request.ts';
import { type ControlOptions, events, route } from './routes.ts';

export type { EventStatus } from './event-counters.ts';
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
      answer(request, options)
        .catch((error: unknown) =>
          failedAnswer(500, 'BERTH_LOCAL_DEFECT', error instanceof Error ? error.message : String(error)),
        )
        .then((result) => send(response, result));
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

async function answer(incoming: IncomingMessage, options: ControlOptions): Promise<ControlAnswer> {
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://localhost');
  let request: ControlRequest;
  try {
    request = {
      method: incoming.method ?? 'GET',
      path: pathname
        .split('/')
        .slice(1)
        .filter((part) => part !== '')
        .map(decodeURIComponent),
      query: searchParams,
      body: await readJson(incoming),
    };
  } catch (error) {
    return failedAnswer(
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      error instanceof Error ? error.message : 'The request is not valid.',
    );
  }
  return route(request, options);
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('The body is larger than 2 MB.');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('The body is not JSON: write a JSON object.');
  }
}

function send(response: ServerResponse, { status, body }: ControlAnswer): void {
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`;
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(text);
}
