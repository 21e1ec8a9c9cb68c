import type { LocalErrorCode } from '../errors.ts';

/** The answer of a route: a status and a JSON body. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** An answer as bytes: a file, or what the functions have answered. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

export function asRaw({ status, body }: ControlAnswer): RawAnswer {
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`;
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    bytes: Buffer.from(text, 'utf8'),
  };
}

export function ok(body: unknown): ControlAnswer {
  return { status: 200, body };
}

/** Errors have the form that Berth's own HTTP functions use. */
export function failedAnswer(status: number, code: LocalErrorCode, message: string): ControlAnswer {
  return { status, body: { error: { code, message, details: [] } } };
}

export function methodNotAllowed({ method }: { readonly method: string }): ControlAnswer {
  return failedAnswer(405, 'BERTH_LOCAL_REQUEST_INVALID', `This route does not support ${method}.`);
}

export function unknownHub(host: string): ControlAnswer {
  return failedAnswer(404, 'BERTH_LOCAL_NOT_FOUND', `Unknown hub ${host}. GET /hubs lists the local hubs.`);
}
