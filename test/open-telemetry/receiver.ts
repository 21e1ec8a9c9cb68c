import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { openAuthority } from '../../local/ca/index.ts';
import { listen } from '../../local/listen.ts';

export interface Receiver {
  readonly url: string;
  /** PEM of the root of its certificate; undefined: it has none. */
  readonly root: string | undefined;
  /** The requests so far: path and body as JSON. */
  readonly requests: { readonly path: string; readonly body: unknown }[];
  /** The status of the next answers. */
  status: number;
  readonly close: () => void;
}

/** A receiver of telemetry on this machine, over HTTP or HTTPS. Close it after the tests. */
export async function startReceiver(isSecure: boolean): Promise<Receiver> {
  const requests: Receiver['requests'] = [];
  const authority = isSecure ? await openAuthority() : undefined;
  const receiver = { url: '', root: authority?.root, requests, status: 200, close: () => {} };
  const answer: RequestListener = async (request, response) => {
    const isZipped = request.headers['content-encoding'] === 'gzip';
    const body = await text(isZipped ? request.pipe(createGunzip()) : request);
    requests.push({ path: request.url ?? '', body: JSON.parse(body) });
    response.writeHead(receiver.status, { 'content-type': 'application/json' });
    const last = requests.at(-1)?.body;
    const count = Array.isArray(last) ? last.length : 0;
    response.end(JSON.stringify({ itemsReceived: count, itemsAccepted: count, errors: [] }));
  };
  const server =
    authority === undefined
      ? createServer(answer)
      : createSecureServer({ key: authority.server.key, cert: authority.server.certificate }, answer);
  const port = await listen(server, 0, 'the receiver of a test');
  receiver.url = `${isSecure ? 'https' : 'http'}://localhost:${port}`;
  receiver.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return receiver;
}
