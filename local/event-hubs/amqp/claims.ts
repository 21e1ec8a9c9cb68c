import { readAccessToken } from '../access-key.ts';
import { entityNotFound, notInLocalHub, unauthorized } from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import type { Access } from './access.ts';
import { hubOfAudience, isOfIotHub } from './entity-address.ts';
import type { NodeRequest, NodeResponse } from './response-links.ts';

/**
 * Answers `put-token`: checks the token and lets the connection use what the token is for. As in Azure, a token for an
 * unknown event hub gets 404, so that clients find a wrong name.
 */
export function answerClaims(
  request: NodeRequest,
  findHub: (name: string) => EventHub | undefined,
  access: Access,
  now: number,
): NodeResponse {
  const { operation, name, type } = request.properties;
  if (operation !== 'put-token' || typeof name !== 'string') {
    return {
      status: 400,
      description: 'The request must be a put-token request with the name of an entity.',
    };
  }
  if (isOfIotHub(name)) return { status: 501, ...notInLocalHub() };
  const hub = hubOfAudience(name);
  if (hub !== undefined && findHub(hub) === undefined) {
    const { condition, description } = entityNotFound(name);
    return { status: 404, condition, description };
  }
  if (type === 'jwt') {
    return { status: 401, ...unauthorized('Microsoft Entra ID tokens are not in the local Event Hubs.') };
  }
  const token = readAccessToken(request.body, now);
  if (typeof token === 'string') return { status: 401, ...unauthorized(token) };
  const granted = hubOfAudience(token.resource);
  if (granted !== undefined && granted.toLowerCase() !== hub?.toLowerCase()) {
    return { status: 401, ...unauthorized('InvalidAudience: The token is for another entity.') };
  }
  access.grant(hub, token.expires);
  return { status: 202, description: 'Accepted' };
}
