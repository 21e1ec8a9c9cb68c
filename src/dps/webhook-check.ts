import { BerthError } from '../errors.ts';
import { isObject } from '../json/json.ts';
import { withKey, withoutKey } from './webhook-url.ts';

/** As long as a function that has to start needs at most. */
const DEADLINE_MS = 60_000;

/**
 * Whether Berth's webhook lets this key in: it is sent a request that is none, as DPS would send it, which Berth refuses
 * with a code of its own and without any effect. (`explain` would not do: a key may be one of `allocateDevice` alone.)
 *
 * @throws BerthError `BERTH_WEBHOOK_KEY_REFUSED` (401, 403), `BERTH_WEBHOOK_UNREACHABLE` (anything that is not Berth)
 */
export async function checkWebhookKey(url: string, key: string): Promise<void> {
  const place = withoutKey(url);
  const { request } = await import('undici');
  let status: number;
  let text: string;
  try {
    const response = await request(withKey(url, key), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'berth' },
      body: '{}',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (error) {
    const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
    throw new BerthError(
      'BERTH_WEBHOOK_UNREACHABLE',
      `${place} cannot be reached (${String(code ?? name ?? 'no reason')}).`,
    );
  }
  if (status === 401 || status === 403) {
    throw new BerthError('BERTH_WEBHOOK_KEY_REFUSED', `${place} refuses the key with ${status}.`);
  }
  if (!isOfBerth(text)) {
    throw new BerthError(
      'BERTH_WEBHOOK_UNREACHABLE',
      `${place} answers ${status} and is not Berth's webhook.`,
    );
  }
}

function isOfBerth(text: string): boolean {
  try {
    const json: unknown = JSON.parse(text);
    const error = isObject(json) ? json.error : undefined;
    return isObject(error) && typeof error.code === 'string' && error.code.startsWith('BERTH_');
  } catch {
    return false;
  }
}
