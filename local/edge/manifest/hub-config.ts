import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { RouteError } from '../routes/message.ts';
import { parseRuntimeRoute, type RuntimeRoute } from '../routes/route.ts';

/* What the hub of a device reads from the desired properties of `$edgeHub` (Microsoft.Azure.Devices.Edge.Hub.Core/config). */

export interface HubConfig {
  readonly routes: readonly RuntimeRoute[];
  /** Seconds for which messages to the cloud wait for a connection; negative: for ever. */
  readonly timeToLiveSecs: number;
}

/** The configuration, or the description of `lastDesiredStatus` 400. One wrong route refuses the whole configuration. */
export type ReadHubConfig =
  | { readonly ok: true; readonly config: HubConfig }
  | { readonly ok: false; readonly description: string };

const SCHEMA = /^1\.(\d+)(?:\.\d+)?$/;
const NEWEST_MINOR = 3;
const NAME = /^[^.$# ]+$/;
const USUAL_TIME_TO_LIVE_SECS = 7200;
const LOWEST_PRIORITY = 9;
const MAX_SECONDS = 4_294_967_295;

/** Reads the desired properties of `$edgeHub`, without `$version`. */
export function readHubConfig(desired: JsonObject): ReadHubConfig {
  try {
    return { ok: true, config: read(desired) };
  } catch (error) {
    if (!(error instanceof RouteError)) throw error;
    return { ok: false, description: `Error while parsing desired properties - ${error.message}` };
  }
}

function read(desired: JsonObject): HubConfig {
  const version = ownMember(desired, 'schemaVersion');
  const minor = Number(typeof version === 'string' ? SCHEMA.exec(version)?.[1] : Number.NaN);
  if (!(minor <= NEWEST_MINOR)) throw new RouteError(`schemaVersion ${JSON.stringify(version ?? null)}`);
  const storing = ownMember(desired, 'storeAndForwardConfiguration');
  if (minor > 0 && !isObject(storing)) throw new RouteError('storeAndForwardConfiguration is missing');
  const seconds = ownMember(isObject(storing) ? storing : {}, 'timeToLiveSecs') ?? USUAL_TIME_TO_LIVE_SECS;
  if (typeof seconds !== 'number' || !Number.isInteger(seconds))
    throw new RouteError('timeToLiveSecs is not a number');
  const routes = ownMember(desired, 'routes') ?? {};
  if (!isObject(routes)) throw new RouteError('routes is not an object');
  return {
    timeToLiveSecs: seconds,
    routes: Object.entries(routes).flatMap(([name, route]) => readRoute(name, route, minor)),
  };
}

function readRoute(name: string, route: JsonValue, minor: number): readonly RuntimeRoute[] {
  if (!NAME.test(name)) throw new RouteError(`the name of the route ${name}`);
  if (typeof route === 'string') return route === '' && minor === 0 ? [] : [named(name, route)];
  const text = isObject(route) && minor > 0 ? ownMember(route, 'route') : undefined;
  if (!isObject(route) || typeof text !== 'string') throw new RouteError(`the route ${name} is not a text`);
  checkNumber(name, 'priority', ownMember(route, 'priority'), LOWEST_PRIORITY);
  checkNumber(name, 'timeToLiveSecs', ownMember(route, 'timeToLiveSecs'), MAX_SECONDS);
  return [named(name, text)];
}

function checkNumber(route: string, name: string, value: JsonValue | undefined, most: number): void {
  if (value === undefined) return;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new RouteError(`the ${name} of the route ${route} must be a whole number from 0 to ${most}`);
}

function named(name: string, text: string): RuntimeRoute {
  try {
    return parseRuntimeRoute(text);
  } catch (error) {
    if (error instanceof RouteError) throw new RouteError(`route ${name}: ${error.message}`);
    throw error;
  }
}
