import { request } from 'node:https';
import { type LocalDps, SERVICE_HOST } from './local-dps.ts';
import { answerOf, type ServiceAnswer } from './service-calls.ts';

/** Calls the runtime API of DPS over HTTPS, for requests that the device SDK cannot send. */
export function callRuntime(
  local: LocalDps,
  method: string,
  path: string,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        servername: SERVICE_HOST,
        port: local.ports.https,
        ca: local.authority.root,
        agent: false,
        method,
        path: path.includes('?') ? path : `${path}?api-version=2019-03-31`,
        headers: { host: SERVICE_HOST, 'content-type': 'application/json', ...headers },
      },
      (response) => void answerOf(response).then(resolve, reject),
    );
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}
