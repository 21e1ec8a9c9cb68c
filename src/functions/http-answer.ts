import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { BerthError, ERRORS } from '../errors.ts';

export { isoTime } from '../time/iso-time.ts';

export type HttpHandler = (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>;

/**
 * A JSON answer in ASCII. Other characters are escaped, because device SDKs decode the payload from DPS as ASCII.
 */
export function jsonAnswer(status: number, body: unknown): HttpResponseInit {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(body).replace(
      /[^ -~]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  };
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
  return jsonAnswer('status' in entry ? entry.status : 503, { error: { code, message, details } });
}
