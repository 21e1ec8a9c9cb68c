import { HttpRequest, InvocationContext } from '@azure/functions';
import type { HttpHandler } from '../../src/functions/http-answer.ts';
import { jsonOrUndefined } from '../../src/json/json.ts';

/** What an HTTP function answered, and the lines that it logged. */
export interface Answer {
  readonly status: number | undefined;
  readonly text: string;
  readonly body: {
    readonly error?: {
      readonly code: string;
      readonly message: string;
      readonly details: readonly unknown[];
    };
    readonly [key: string]: unknown;
  };
  readonly headers: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
}

/** What a request has. */
export interface CallParts {
  readonly body?: unknown;
  readonly params?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly url?: string;
}

/** Calls an HTTP function as the host does. */
export async function call(
  handler: HttpHandler,
  { body, params = {}, query = {}, headers = {}, url = 'http://localhost/api/test' }: CallParts = {},
): Promise<Answer> {
  const lines: string[] = [];
  const context = new InvocationContext({
    functionName: 'test',
    logHandler: (_level, ...args) => {
      lines.push(args.join(' '));
    },
  });
  const request = new HttpRequest({
    method: body === undefined ? 'GET' : 'POST',
    url,
    params,
    headers,
    query,
    ...(body === undefined
      ? {}
      : {
          body: {
            bytes:
              body instanceof Uint8Array
                ? body
                : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
          },
        }),
  });
  const response = await handler(request, context);
  const { body: given = '' } = response;
  const text = given instanceof Uint8Array ? Buffer.from(given).toString('utf8') : String(given);
  const answered = response.headers as Answer['headers'];
  return {
    status: response.status,
    text,
    body: (jsonOrUndefined(text) ?? {}) as Answer['body'],
    headers: answered,
    lines,
  };
}
