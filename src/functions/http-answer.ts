import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import type { ErrorAnswer } from '../api/contract.ts';
import { BerthError, ERRORS } from '../errors.ts';
import { sha256Hex } from '../json/hash.ts';

export { isoTime } from '../time/iso-time.ts';

export type HttpHandler = (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>;

/**
 * A JSON answer in ASCII. Other characters are escaped, because device SDKs decode the payload from DPS as ASCII.
 */
export function jsonAnswer<Body>(status: number, body: Body): HttpResponseInit {
  return { status, headers: JSON_HEADERS, body: asciiJson(body) };
}

/** A JSON answer with an ETag, or 304 without a body if the client has it (`If-None-Match`): the console asks every few seconds. */
export function taggedAnswer<Body>(request: Pick<HttpRequest, 'headers'>, body: Body): HttpResponseInit {
  const text = asciiJson(body);
  return tagged(request, { status: 200, headers: JSON_HEADERS, body: text }, sha256Hex(text));
}

/** An answer with status 200 and an ETag, or 304 without a body if the client has it. */
export function tagged(
  request: Pick<HttpRequest, 'headers'>,
  { headers, ...answer }: HttpResponseInit & { readonly headers: Readonly<Record<string, string>> },
  sha256: string,
): HttpResponseInit {
  const etag = `"${sha256.slice(0, TAG_DIGITS)}"`;
  if (!isKnown(request.headers.get('if-none-match'), etag))
    return { ...answer, headers: { ...headers, etag } };
  const { 'content-type': _, ...others } = headers;
  return { status: 304, headers: { ...others, etag } };
}

const JSON_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
};
/** 128 bits of a hash: different answers have different tags. */
const TAG_DIGITS = 32;

/** Weak comparison (RFC 9110, section 13.1.2): a proxy that compresses the answer makes the tag a weak one. */
function isKnown(ifNoneMatch: string | null, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

function asciiJson(body: unknown): string {
  return JSON.stringify(body).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Answers a coded error with its status. Any other error is a defect and gets 503, because DPS ends the registration after
 * most other statuses.
 */
export function answeringErrors(handler: HttpHandler): HttpHandler {
  return async (request, context) => {
    try {
      return await handler(request, context);
    } catch (error) {
      return errorAnswer(error, context);
    }
  };
}

function errorAnswer(error: unknown, context: InvocationContext): HttpResponseInit {
  if (!(error instanceof BerthError)) {
    context.error(
      JSON.stringify({
        event: 'defect',
        code: 'BERTH_DEFECT',
        stack: error instanceof Error ? error.stack : String(error),
      }),
    );
    return errorBody('BERTH_DEFECT', 'Berth failed on this request; the log has the details.', []);
  }
  const line = JSON.stringify({ event: 'refused', code: error.code, message: error.message });
  if (error.kind === 'user') context.warn(line);
  else context.error(line);
  return errorBody(error.code, error.message, error.details);
}

function errorBody(
  code: BerthError['code'],
  message: string,
  details: BerthError['details'],
): HttpResponseInit {
  const entry = ERRORS[code];
  return jsonAnswer<ErrorAnswer>('status' in entry ? entry.status : 503, {
    error: { code, message, details },
  });
}
