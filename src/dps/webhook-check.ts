import { BerthError } from '../errors.ts';
import { isObject, jsonOrUndefined } from '../json/json.ts';
import { exchange } from '../rest/exchange.ts';
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
  const result = await exchange({
    url: withKey(url, key),
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'berth' },
    body: '{}',
    deadlineMs: DEADLINE_MS,
  });
  if (result.kind !== 'answered') {
    const reason = result.kind === 'timeout' ? `no answer in ${DEADLINE_MS / 1_000} s` : result.reason;
    throw new BerthError('BERTH_WEBHOOK_UNREACHABLE', `${place} cannot be reached (${reason}).`);
  }
  const { status, body } = result.answer;
  if (status === 401 || status === 403) {
    throw new BerthError('BERTH_WEBHOOK_KEY_REFUSED', `${place} refuses the key with ${status}.`);
  }
  if (!isOfBerth(body)) {
    throw new BerthError(
      'BERTH_WEBHOOK_UNREACHABLE',
      `${place} answers ${status} and is not Berth's webhook.`,
    );
  }
}

function isOfBerth(body: string): boolean {
  const json = jsonOrUndefined(body);
  const error = isObject(json) ? json.error : undefined;
  return isObject(error) && typeof error.code === 'string' && error.code.startsWith('BERTH_');
}
