import type { LocalLog } from '../../log.ts';
import type { HostedFunction } from '../hosted-function.ts';
import { parseRouteTemplate, type RouteTemplate, type RouteValues } from './route-template.ts';

export type AuthLevel = 'anonymous' | 'function' | 'admin';

/** The route of an HTTP function. */
export interface HttpRoute {
  readonly fn: HostedFunction;
  /** Upper case; empty: every method. */
  readonly methods: readonly string[];
  readonly authLevel: AuthLevel;
  /** With the route prefix and a leading slash, such as `/api/devices/{deviceId}`. */
  readonly path: string;
  readonly template: RouteTemplate;
}

export const isHttpTrigger = (fn: HostedFunction): boolean => fn.trigger.type.toLowerCase() === 'httptrigger';

/** The route of an HTTP function. If its template is not valid, it logs an error and returns undefined. */
export function httpRoute(fn: HostedFunction, routePrefix: string, log: LocalLog): HttpRoute | undefined {
  const { route, methods, authLevel } = fn.trigger;
  const own = typeof route === 'string' && route !== '' ? route : fn.name;
  const text = routePrefix === '' ? own : `${routePrefix}/${own}`;
  try {
    return {
      fn,
      methods: Array.isArray(methods) ? methods.map((method) => String(method).toUpperCase()) : [],
      authLevel: authLevel === 'function' || authLevel === 'admin' ? authLevel : 'anonymous',
      path: `/${text}`,
      template: parseRouteTemplate(text),
    };
  } catch (error) {
    log.error(
      `${fn.name} is not served: the route "${text}" ${error instanceof Error ? error.message : error}.`,
    );
    return undefined;
  }
}

/**
 * The first route that matches method and path. The host does not prefer specific routes. It tries the routes in the
 * order of the functions' names (webjobs-sdk-extensions `WebJobsRouter.cs`). A wrong method counts as no match.
 */
export function findRoute(
  routes: readonly HttpRoute[],
  method: string,
  path: string,
): { readonly route: HttpRoute; readonly values: RouteValues } | undefined {
  for (const route of routes) {
    if (route.methods.length > 0 && !route.methods.includes(method)) continue;
    const values = route.template.match(path);
    if (values !== undefined) return { route, values };
  }
  return undefined;
}
