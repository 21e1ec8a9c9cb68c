import type { IncomingMessage } from 'node:http';
import { asRaw, failedAnswer, type RawAnswer } from './answers.ts';

/** Of a request, what the functions get to see; of an answer, what the page does. */
const REQUEST_HEADERS = ['accept', 'content-type', 'if-none-match'];
const ANSWER_HEADERS = [
  'content-type',
  'etag',
  'cache-control',
  'location',
  'content-security-policy',
  'x-content-type-options',
  'referrer-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
];
/** A query of all twins of a large fleet takes some seconds. */
const DEADLINE_MS = 60_000;

/**
 * Passes a request for `/api/…` on to the functions, with the local function key.
 *
 * @param target the path, with the query.
 * @param functions where the functions listen, and their key.
 */
export async function passToFunctions(
  target: string,
  { method = 'GET', headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  body: Buffer,
  { port, key }: { readonly port: number; readonly key: string },
): Promise<RawAnswer> {
  const given = REQUEST_HEADERS.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  try {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
      headers: { ...Object.fromEntries(given), 'x-functions-key': key },
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: new Uint8Array(body) }),
    });
    const passed = ANSWER_HEADERS.flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    return {
      status: response.status,
      headers: Object.fromEntries(passed),
      bytes: Buffer.from(await response.arrayBuffer()),
    };
  } catch {
    return asRaw(
      failedAnswer(
        503,
        'BERTH_LOCAL_FUNCTIONS_MISSING',
        `Nothing answers at http://127.0.0.1:${port}/api: the functions do not run, or have just ended.`,
      ),
    );
  }
}
