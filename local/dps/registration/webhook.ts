import { setTimeout as wait } from 'node:timers/promises';
import { request } from 'undici';

export interface WebhookResponse {
  readonly status: number;
  readonly body: string;
}

/** Posts JSON to a webhook. Rejects if the webhook does not answer in time. */
export type WebhookCall = (url: string, json: string, signal: AbortSignal) => Promise<WebhookResponse>;

/** "Maximum size of message" of DPS. It is an assumption that it also limits the answer of a webhook. */
export const MAX_MESSAGE_BYTES = 96 * 1024;
/** An assumption: Azure does not publish how long DPS waits for a webhook. */
const ANSWER_TIMEOUT_MS = 30_000;
/** DPS retries after this status and all higher ones (tutorial-custom-allocation-policies.md, "Troubleshooting"). */
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
 * Calls a webhook as DPS does: it retries after a failed connection and after each status of 429 and above. Returns
 * the last response; undefined if the last call got none.
 *
 * @throws the reason of the signal if it is aborted.
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

/** Calls webhooks over HTTP. It does not follow redirects. A call that takes longer than `timeoutMs` fails. */
export function createWebhookCall(timeoutMs = ANSWER_TIMEOUT_MS): WebhookCall {
  return async (url, json, signal) => {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: json,
      // The signal below also ends the body. Node.js can lose a composed signal to its garbage collector (nodejs/node#54614).
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length > MAX_MESSAGE_BYTES) return { status: statusCode, body: '' }; // the end of the loop closes the connection
      chunks.push(chunk);
    }
    return { status: statusCode, body: Buffer.concat(chunks).toString('utf8') };
  };
}
