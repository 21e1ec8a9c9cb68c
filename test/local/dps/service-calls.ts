import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { SharedAccessSignature } from 'azure-iot-common';
import { DEVELOPMENT_DPS } from '../../../src/dps/development.ts';
import { type LocalDps, SERVICE_HOST } from './local-dps.ts';

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
  readonly body: any;
}

/** Calls the service API over plain HTTP, for requests that the service SDK cannot send. */
export function callService(
  local: LocalDps,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<ServiceAnswer> {
  const inAnHour = Math.ceil(Date.now() / 1000) + 3600;
  const { keyName, key } = DEVELOPMENT_DPS;
  const authorization = SharedAccessSignature.create(SERVICE_HOST, keyName, key, inAnHour).toString();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: local.ports.rest,
        method,
        path: path.includes('?') ? path : `${path}?api-version=2021-10-01`,
        headers: { host: SERVICE_HOST, authorization, ...headers },
      },
      (response) => void answerOf(response).then(resolve, reject),
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Reads an answer with a JSON body. */
export async function answerOf(response: IncomingMessage): Promise<ServiceAnswer> {
  const content = await text(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: content === '' ? undefined : JSON.parse(content),
  };
}

/** The name of the SDK's error and the body of the answer of a call that must fail. */
export async function errorOf(call: Promise<unknown>): Promise<{ readonly name: string }> {
  const error = (await call.then(
    () => {
      throw new Error('The call did not fail.');
    },
    (reason: unknown) => reason,
  )) as { name: string; responseBody: string };
  return { name: error.name, ...(JSON.parse(error.responseBody) as object) };
}
