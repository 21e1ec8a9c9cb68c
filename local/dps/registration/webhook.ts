import { setTimeout as wait } from 'node:timers/promises';
import { request } from 'undici';

export interface WebhookResponse {
  readonly status: number;
  readonly body: string;
}

/** Posts JSON to a webhook. Rejects when it cannot be reached or does not answer in time. */
export type WebhookCall = (url: string, json: string, signal: AbortSignal) => Promise<WebhookResponse>;

/** "Maximum size of message" of DPS; that it bounds the answer of a webhook is assumed. */
export const MAX_MESSAGE_BYTES = 96 * 1024;
/** How long DPS waits for a webhook is not published. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Any status from this one on is tried again (tutorial-custom-allocation-policies.md, "Troubleshooting"). */
const RETRIED_FROM_STATUS = 429;
const RETRIES = 10;
const FIRST_WAIT_MS = 1_000;
const WAIT_INCREMENT_MS = 9_000;

/** The waits of DPS between its calls of one registration, in milliseconds: 1 s, 10 s, … 82 s. */
export const RETRY_WAITS_MS: readonly number[] = Array.from(
  { length: RETRIES },
  (_, retry) => FIRST_WAIT_MS + retry * WAIT_INCREMENT_MS,
);

/**
 * Calls a webhook as DPS does: again after a connection that failed and after every status of 429 and above.
 * Answers the last response; undefined if the last call brought none.
 *
 * @throws the signal's reason when it is aborted
 */
export async function callUntilAnswered(
  call: () => Promise<WebhookResponse>,
  waitsMs: readonly number[],
  signal: AbortSignal,
): Promise<WebhookResponse | undefined> {
  for (let retry = 0; ; retry += 1) {
    const response = await call().catch(() => undefined);
    signal.throwIfAborted();
    if (response !== undefined && response.status < RETRIED_FROM_STATUS) return response;
    const waitMs = waitsMs[retry];
    if (waitMs === undefined) return response;
    await wait(waitMs, undefined, { signal });
  }
}

/** Calls webhooks by HTTP. Redirects are not followed; a call that takes longer than `timeoutMs` fails. */
export function createWebhookCall(timeoutMs = ANSWER_TIMEOUT_MS): WebhookCall {
  return async (url, json, signal) => {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: json,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length > MAX_MESSAGE_BYTES) return { status: statusCode, body: '' }; // leaving the loop ends the connection
      chunks.push(chunk);
    }
    return { status: statusCode, body: Buffer.concat(chunks).toString('utf8') };
  };
}
