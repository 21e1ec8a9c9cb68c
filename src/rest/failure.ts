import { nothingAnswers } from '../errors.ts';
import type { Instant } from '../time/instant.ts';
import type { HttpAnswer } from './exchange.ts';
import { type RestHeaders, retryAfterMs, serviceTime } from './headers.ts';

interface FailedCall {
  /** The service, as errors name it. */
  readonly host: string;
  readonly method: string;
  /**
   * The call may have taken effect although it failed: the answer was lost, or the service broke down over it.
   */
  readonly mayHaveApplied: boolean;
}

/** A status that is not a success. Body and headers are for the caller to read, never to show: they may repeat a secret. */
export interface Refusal extends FailedCall {
  readonly kind: 'refused';
  readonly status: number;
  readonly headers: RestHeaders;
  readonly body: string;
  /** What the service asked for in `Retry-After`. */
  readonly retryAfterMs: number | undefined;
  /** The service's clock when it answered; undefined: it did not say. */
  readonly answeredAt: Instant | undefined;
}

/** A call that did not get as far as a status, or whose answer makes no sense. */
export type CallTrouble = FailedCall &
  (
    | { readonly kind: 'noToken'; readonly reason: string }
    | { readonly kind: 'timeout'; readonly deadlineMs: number }
    | {
        readonly kind: 'unreachable';
        readonly reason: string;
        /** The address at which nothing listens, where that is why. */
        readonly refusedAt?: string | undefined;
      }
    /** A success whose body is not JSON: a proxy's page, a cut-off text. */
    | { readonly kind: 'notJson'; readonly status: number }
    /** JSON that the service's API does not describe. */
    | { readonly kind: 'unexpected' }
  );

/** Why a call failed, as data; each service has codes of its own for it. Holds nothing of the request but its method. */
export type RestFailure = Refusal | CallTrouble;

/** The failure that an answer with a status of 300 or above is. */
export function refusal(host: string, method: string, answer: HttpAnswer, now: number): Refusal {
  const { status, headers, body } = answer;
  return {
    kind: 'refused',
    host,
    method,
    status,
    headers,
    body,
    mayHaveApplied: status >= 500,
    retryAfterMs: retryAfterMs(headers, now),
    answeredAt: serviceTime(headers),
  };
}

/** A call whose answer the service's API does not describe. */
export function unexpectedAnswer(host: string, method: string): CallTrouble {
  return { kind: 'unexpected', host, method, mayHaveApplied: true };
}

/** What is to be said of it; holds no secret. */
export function troubleText(trouble: CallTrouble): string {
  const { host, method } = trouble;
  switch (trouble.kind) {
    case 'noToken':
      return `No token for ${host} could be had (${trouble.reason}).`;
    case 'timeout':
      return `${host} did not answer ${method} in ${trouble.deadlineMs / 1_000} s.`;
    case 'unreachable':
      if (trouble.refusedAt !== undefined) return nothingAnswers(trouble.refusedAt);
      return `${host} could not be reached for ${method} (${trouble.reason}).`;
    case 'notJson':
      return `${host} answered ${method} with something that is not JSON.`;
    case 'unexpected':
      return `${host} answered ${method} with something unexpected.`;
  }
}
