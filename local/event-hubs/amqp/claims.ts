import { entityNotFound } from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import { hubOfAudience } from './entity-address.ts';
import type { NodeRequest, NodeResponse } from './response-links.ts';

/**
 * Answers `put-token`. Every token is good, because whoever can reach the port may use it; but as in Azure a
 * token for an event hub that does not exist is refused with 404, which is how clients notice.
 */
export function answerClaims(
  request: NodeRequest,
  findHub: (name: string) => EventHub | undefined,
): NodeResponse {
  const { operation, name } = request.properties;
  if (operation !== 'put-token' || typeof name !== 'string') {
    return { status: 400, description: 'A put-token request with the name of an entity was expected.' };
  }
  const hub = hubOfAudience(name);
  if (hub !== undefined && findHub(hub) === undefined) {
    const { condition, description } = entityNotFound(name);
    return { status: 404, condition, description };
  }
  return { status: 202, description: 'Accepted' };
}
