import { notHere } from '../../errors.ts';
import type { HttpRequest } from '../../https/exchange.ts';
import { HubRefusal } from '../model/hub-error.ts';

/** The routes of IoT Hub that the local hub does not have (REST API 2021-04-12), with the feature that they belong to. */
const ABSENT: readonly (readonly [RegExp, string])[] = [
  [/^\/\$(?:iothub|servicebus)\/websocket\/?$/i, 'WebSockets without TLS are not'],
  [/^\/twins\/[^/]+(?:\/modules\/[^/]+)?\/streams(?:\/.*)?$/i, 'Device streams are not'],
];

/**
 * The refusal of a route that IoT Hub has and the local hub does not; undefined for other routes. It comes before the
 * authorization, so that a client never looks for the fault in its key.
 */
export function absentRoute({ path }: Pick<HttpRequest, 'path'>): HubRefusal | undefined {
  const feature = ABSENT.find(([pattern]) => pattern.test(path))?.[1];
  return feature === undefined
    ? undefined
    : new HubRefusal('NotInLocalHub', notHere(`${feature} in the local hub.`));
}
