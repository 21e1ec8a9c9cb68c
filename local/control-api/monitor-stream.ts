import type { IncomingMessage, ServerResponse } from 'node:http';
import { isHub, type WatchFilter } from '../monitor/watchers.ts';
import { asRaw } from './answers.ts';
import type { ControlOptions } from './routes.ts';
import { unknownHub } from './usage.ts';

/** A reader that is this far behind loses items. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/** Whether a request is for `GET /monitor`. */
export function isMonitorRequest({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && url.split('?')[0] === '/monitor';
}

/**
 * Answers `GET /monitor?hub=&device=&module=` with one line of JSON for each item, until the reader ends the connection. For
 * items that a slow reader has lost, there is a line `{"missed": 12}`.
 */
export function streamWatched(
  request: IncomingMessage,
  response: ServerResponse,
  { watchers, hubs }: Pick<ControlOptions, 'watchers' | 'hubs'>,
): void {
  const searchParams = new URLSearchParams(request.url?.split('?')[1]);
  const filter: WatchFilter = {
    hub: searchParams.get('hub') ?? undefined,
    device: searchParams.get('device') ?? undefined,
    module: searchParams.get('module') ?? undefined,
  };
  if (filter.hub !== undefined && !hubs.views.some(({ host }) => isHub(host, filter.hub ?? ''))) {
    const { status, headers, bytes } = asRaw(unknownHub(filter.hub, hubs));
    response.writeHead(status, headers).end(bytes);
    return;
  }
  response.writeHead(200, {
    'content-type': 'application/x-ndjson; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.flushHeaders();
  let missed = 0;
  const stop = watchers.add(filter, (watched) => {
    if (response.writableLength > MOST_WAITING_BYTES) {
      missed += 1;
      return;
    }
    if (missed > 0) response.write(`${JSON.stringify({ missed })}\n`);
    missed = 0;
    response.write(`${JSON.stringify(watched)}\n`);
  });
  response.once('close', stop);
}
