import { BerthError } from '../errors.ts';
import { isObject, jsonOrUndefined } from '../json/json.ts';
import { exchange } from '../rest/exchange.ts';
import { withKey, withoutKey } from './webhook-url.ts';

/** Enough for a cold start of the function app. */
const DEADLINE_MS = 60_000;

/**
 * Checks that Berth's webhook accepts a function key. It sends an empty request, which Berth refuses with its
 * own error code and without any effect. It calls the webhook itself, because a key may be valid for
 * `allocateDevice` only.
 *
 * @throws BerthError `BERTH_WEBHOOK_KEY_REFUSED` (401, 403), `BERTH_WEBHOOK_UNREACHABLE` (no answer, or not
 *   an answer of Berth)
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
    throw new BerthError(
      'BERTH_WEBHOOK_UNREACHABLE',
      `${place} cannot be reached (${reason}): check the URL and that the app runs.`,
    );
  }
  const { status, body } = result.answer;
  if (status === 401 || status === 403) {
    throw new BerthError(
      'BERTH_WEBHOOK_KEY_REFUSED',
      `${place} refuses the key with ${status}: check that the key is a function key of this app.`,
    );
  }
  if (!isOfBerth(body)) {
    throw new BerthError(
      'BERTH_WEBHOOK_UNREACHABLE',
      `${place} answers ${status} and is not Berth's webhook: check the URL.`,
    );
  }
}

function isOfBerth(body: string): boolean {
  const json = jsonOrUndefined(body);
  const error = isObject(json) ? json.error : undefined;
  return isObject(error) && typeof error.code === 'string' && error.code.startsWith('BERTH_');
}
