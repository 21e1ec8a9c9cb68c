import { type IncomingMessage, request, type ServerResponse } from 'node:http';

/** Paths that another server on this machine answers, over plain http. */
export interface PassThrough {
  /** A path begins with it. @example '/devstoreaccount1/' */
  readonly prefix: string;
  /** The port of the other server, on 127.0.0.1. */
  readonly port: number;
  /** Headers that are not passed on, in lower case. */
  readonly without?: readonly string[];
}

/** Passes a request and its answer on as streams, so that they can be of any size. */
export function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { port, without = [] }: PassThrough,
): void {
  const { method, url } = incoming;
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).filter(([name]) => !without.includes(name)),
  );
  const further = request(
    { host: '127.0.0.1', port, method, path: url, headers: { ...headers, host: `127.0.0.1:${port}` } },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    },
  );
  further.on('error', () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502, { 'Content-Length': 0 }).end();
  });
  outgoing.on('close', () => further.destroy());
  incoming.pipe(further);
}
