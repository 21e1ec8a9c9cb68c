import type { IncomingMessage } from 'node:http';
import type { AuthLevel } from './routes.ts';

/**
 * The keys of the app. Azure has more kinds (host, system, one per function). One key for each level is enough to
 * find requests without a key.
 */
export interface FunctionKeys {
  readonly function: string;
  readonly master: string;
}

/**
 * Whether a request may call a function of this `level`. The key is in the header `x-functions-key` or in the query
 * parameter `code`. The header has precedence, even if its key is wrong (azure-functions-host
 * `AuthenticationLevelHandler.cs`).
 */
export function isAuthorized(
  request: IncomingMessage,
  url: URL,
  level: AuthLevel,
  keys: FunctionKeys,
): boolean {
  if (level === 'anonymous') return true;
  const key = request.headersDistinct['x-functions-key']?.[0] ?? url.searchParams.get('code');
  return key === keys.master || (level === 'function' && key === keys.function);
}
