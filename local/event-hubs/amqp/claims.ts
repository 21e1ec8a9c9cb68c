import { unauthorized } from '../../amqp/conditions.ts';
import type { Claim, NodeResponse } from '../../amqp/index.ts';
import { isAccessToken, readAccessToken } from '../access-key.ts';
import { entityNotFound } from '../conditions.ts';
import type { EventHub } from '../event-hub.ts';
import type { Access } from './access.ts';
import { hubOfAudience } from './entity-address.ts';

/**
 * Answers `put-token`: checks the token and lets the connection use what the token is for. As in Azure, a token for an
 * unknown event hub gets 404, so that clients find a wrong name.
 */
export function answerClaim(
  { audience, type, token: text }: Claim,
  findHub: (name: string) => EventHub | undefined,
  access: Access,
  now: number,
): NodeResponse {
  const hub = hubOfAudience(audience);
  if (hub !== undefined && findHub(hub) === undefined) {
    const { condition, description } = entityNotFound(audience);
    return { status: 404, condition, description };
  }
  // Microsoft's client for Python (azure-eventhub 5.11) sends its shared access signatures with the type `jwt`.
  if (type === 'jwt' && !isAccessToken(text)) {
    return { status: 401, ...unauthorized('Microsoft Entra ID tokens are not in the local Event Hubs.') };
  }
  const policies = hub === undefined ? [] : (findHub(hub)?.policies ?? []);
  const token = readAccessToken(text, now, policies);
  if (typeof token === 'string') return { status: 401, ...unauthorized(token) };
  const granted = hubOfAudience(token.resource);
  if (granted !== undefined && granted.toLowerCase() !== hub?.toLowerCase()) {
    return { status: 401, ...unauthorized('InvalidAudience: The token is for another entity.') };
  }
  access.grant(hub, token.expires);
  return { status: 202, description: 'Accepted' };
}
