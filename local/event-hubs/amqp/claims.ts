import { entityNotFound } from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import { hubOfAudience } from './entity-address.ts';
import type { NodeRequest, NodeResponse } from './response-links.ts';

/**
 * Answers `put-token`. Every token is accepted, because every client that can reach the port may use it. As in Azure,
 * a token for an unknown event hub gets 404, so that clients find a wrong name.
 */
export function answerClaims(
  request: NodeRequest,
  findHub: (name: string) => EventHub | undefined,
): NodeResponse {
  const { operation, name } = request.properties;
  if (operation !== 'put-token' || typeof name !== 'string') {
    return {
      status: 400,
      description: 'The request must be a put-token request with the name of an entity.',
    };
  }
  const hub = hubOfAudience(name);
  if (hub !== undefined && findHub(hub) === undefined) {
    const { condition, description } = entityNotFound(name);
    return { status: 404, condition, description };
  }
  return { status: 202, description: 'Accepted' };
}
