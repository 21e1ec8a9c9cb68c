import type * as z from 'zod';
import { schemaProblems } from '../../src/fleet/file/problems.ts';
import { nearest } from '../../src/nearest.ts';
import type { HubView, IotHubs } from '../iot-hub/index.ts';
import { type ControlAnswer, failedAnswer } from './answers.ts';

/**
 * For a body that cannot be used: each problem with its field, its value and what to write.
 *
 * @param what the beginning of the message, such as `The faults are`.
 */
export function unusableBody(
  what: string,
  error: z.ZodError,
  body: unknown,
  schema: z.core.$ZodType,
): ControlAnswer {
  const problems =
    body === undefined
      ? [{ path: '', message: 'is empty: write a JSON object' }]
      : schemaProblems(error, body, schema);
  const list = problems.map(({ path, message }) => `${path || 'the body'} ${message}`).join('; ');
  return failedAnswer(400, 'BERTH_LOCAL_REQUEST_INVALID', `${what} not valid: ${list}.`);
}

/**
 * For a path that is not a route, with the routes.
 *
 * @param routes the first parts of the routes.
 */
export function unknownRoute(
  method: string,
  path: readonly string[],
  routes: readonly string[],
): ControlAnswer {
  const [resource = ''] = path;
  const near = routes.includes(resource) ? undefined : nearest(resource, routes);
  const hint = near === undefined ? '' : ` Did you mean /${near}?`;
  return failedAnswer(
    404,
    'BERTH_LOCAL_NOT_FOUND',
    `Unknown route ${method} /${path.join('/')}.${hint} The routes begin with ${routes.map((route) => `/${route}`).join(', ')}.`,
  );
}

/** For a hub that the local stack does not have, with those that it has. */
export function unknownHub(host: string, { views }: { readonly views: IotHubs['views'] }): ControlAnswer {
  const hosts = views.map((view: HubView) => view.host);
  const near = nearest(host, hosts);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  return failedAnswer(
    404,
    'BERTH_LOCAL_NOT_FOUND',
    `Unknown hub ${JSON.stringify(host)}.${hint} The local hubs are ${hosts.join(', ')}.`,
  );
}
