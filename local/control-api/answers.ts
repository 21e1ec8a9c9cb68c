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

/** @param allowed the methods of the route. */
export function methodNotAllowed(
  { method, path }: { readonly method: string; readonly path: readonly string[] },
  ...allowed: readonly string[]
): ControlAnswer {
  return failedAnswer(
    405,
    'BERTH_LOCAL_REQUEST_INVALID',
    `/${path.join('/')} does not support ${method}: use ${allowed.join(', ')}.`,
  );
}
